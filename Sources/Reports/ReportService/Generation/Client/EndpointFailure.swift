internal import GRPCTransport
internal import PipelineCore

/// Why one endpoint did not answer a batch, and what may be done about it.
struct EndpointFailure: Error {
    enum Remedy: Sendable {
        /// Another endpoint may answer, or this one later.
        case elsewhere
        /// The server stumbled: perhaps over this batch. Tried elsewhere, and split when it keeps happening.
        case elsewhereForNow
        /// No generator will ever answer this batch as it is.
        case none
    }
    var remedy: Remedy
    var code: String
    /// Says which endpoint, and what it said.
    var message: String

    init(_ status: GRPCStatusError, at address: String) {
        let said = status.message.isEmpty ? status.code.name : status.message
        switch status.code {
        case .invalidArgument, .outOfRange:
            remedy = .none
            code = status.pipelineCode ?? "generator-refused"
            message = said
        case .internal, .unknown, .dataLoss:
            remedy = .elsewhereForNow
            code = status.pipelineCode ?? "generator-broken"
            message = "\(address): \(status)"
        case .unimplemented, .notFound, .permissionDenied, .unauthenticated:
            remedy = .elsewhere
            code = "generator-misplaced"
            message = "\(address) is no generator: \(status)"
        case .deadlineExceeded:
            remedy = .elsewhere
            code = "generation-timeout"
            message = "\(address): \(status)"
        default:
            remedy = .elsewhere
            code = status.pipelineCode ?? "generator-unavailable"
            message = "\(address): \(status)"
        }
    }

    init(_ mismatch: MismatchedResponse, at address: String) {
        remedy = .elsewhere
        code = "generator-mismatch"
        message = "\(address) sent an answer that does not match the batch: \(mismatch)"
    }

    private init(_ remedy: Remedy, code: String, _ message: String) {
        self.remedy = remedy
        self.code = code
        self.message = message
    }

    static func notServing(_ address: String) -> EndpointFailure {
        EndpointFailure(
            .elsewhere, code: "generator-unavailable", "\(address) says that it is not serving")
    }
}
