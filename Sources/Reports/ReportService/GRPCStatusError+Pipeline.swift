internal import GRPCTransport
internal import PipelineCore
internal import Protobuf

extension GRPCStatusError {
    /// INVALID_ARGUMENT with every field violation at once, for people and (as `google.rpc.BadRequest`) for programs.
    static func badRequest(_ violations: [FieldViolation]) -> GRPCStatusError {
        let sentence = violations.map { "\($0.field) \($0.description)" }.joined(separator: "; ")
        var status = Google_Rpc_Status()
        status.code = GRPCStatusCode.invalidArgument.rawValue
        status.message = sentence
        let bad = Google_Rpc_BadRequest.with {
            $0.fieldViolations = violations.map { violation in
                .with {
                    $0.field = violation.field
                    $0.description = violation.description
                }
            }
        }
        if let packed = try? Google_Protobuf_Any(packing: bad) { status.details = [packed] }
        return GRPCStatusError(
            .invalidArgument, sentence, details: (try? status.serializedBytes()) ?? [])
    }

    /// What a refused request means to its caller.
    init(_ rejection: Rejection) {
        if rejection.code == "conflict" {
            self.init(.alreadyExists, rejection.reason)
        } else if rejection.violations.isEmpty {
            self.init(.invalidArgument, rejection.reason)
        } else {
            self = .badRequest(rejection.violations)
        }
    }

    init(converting error: any Error) {
        switch error {
        case let status as GRPCStatusError: self = status
        case is CancellationError: self.init(.cancelled, "the call was cancelled")
        case let error as PipelineError where error.mayBeRepeated:
            self.init(.unavailable, error.message)
        case let error as PipelineError: self.init(.internal, error.message)
        default: self.init(.internal, "internal error")
        }
    }
}

extension PipelineError {
    /// Nothing is promised, and the same call may succeed: another worker has it, or a store is away.
    fileprivate var mayBeRepeated: Bool { disposition == .retryable || disposition == .fenced }
}
