internal import GRPCTransport
internal import PipelineCore
internal import Protobuf

extension GRPCStatusError {
    /// INVALID_ARGUMENT with every field violation at once, for people and (as
    /// `google.rpc.BadRequest`) for programs.
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

    /// How long a client should leave the service alone before it tries again.
    private static let retryDelay: Duration = .seconds(1)

    /// UNAVAILABLE with the reason, and `google.rpc.RetryInfo` for programs.
    private static func unavailable(_ reason: String) -> GRPCStatusError {
        var status = Google_Rpc_Status()
        status.code = GRPCStatusCode.unavailable.rawValue
        status.message = reason
        let info = Google_Rpc_RetryInfo.with {
            $0.retryDelay = Google_Protobuf_Duration(retryDelay)
        }
        if let packed = try? Google_Protobuf_Any(packing: info) { status.details = [packed] }
        return GRPCStatusError(
            .unavailable, reason, details: (try? status.serializedBytes()) ?? [])
    }

    /// What a refused request means to its caller.
    init(_ rejection: Rejection) {
        if rejection.code == .conflict {
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
            self = .unavailable(error.message)
        case let error as PipelineError: self.init(.internal, error.message)
        default: self.init(.internal, "internal error")
        }
    }
}

extension PipelineError {
    /// Nothing is promised, and the same call may succeed: another worker has it, or a store is
    /// away.
    fileprivate var mayBeRepeated: Bool { disposition == .retryable || disposition == .fenced }
}

extension PipelineError {
    /// Why a service can't be served: `address-in-use` where another process has the port,
    /// `no-thread`, `cannot-listen` otherwise.
    static func cannotListen(_ error: GRPCError) -> PipelineError {
        if error.code == .noThread { return .retryable(.noThread, error.message, cause: error) }
        guard error.code == .addressInUse else {
            return .fatal(.cannotListen, error.message, cause: error)
        }
        return .fatal(
            .addressInUse,
            error.message + ": another process uses this port; stop it, or choose another port",
            cause: error)
    }
}
