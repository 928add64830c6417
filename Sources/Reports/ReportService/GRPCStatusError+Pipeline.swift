internal import GRPCTransport
internal import PipelineCore
internal import Protobuf
internal import ReportMessages

/// What goes wrong, for people as a sentence and for programs as
/// [`google.rpc.Status`](https://cloud.google.com/apis/design/errors): an `ErrorInfo` whose reason
/// is the error's code, stable and explained by `penstock explain-error`, beside `BadRequest` with
/// every field violation at once, or `RetryInfo` where the same call may succeed.
extension GRPCStatusError {
    /// Whose reasons they are.
    private static let errorDomain = "penstock"
    /// How long a client should leave the service alone before it tries again.
    private static let retryDelay: Duration = .seconds(1)

    /// - Parameter reason: as a machine tells it from others; `nil` for what has none.
    init(
        _ code: GRPCStatusCode, _ sentence: String, because reason: ErrorCode?,
        _ details: [Google_Protobuf_Any?] = []
    ) {
        let info = reason.map { reason in
            Google_Rpc_ErrorInfo.with {
                $0.reason = reason.wireName
                $0.domain = Self.errorDomain
            }
        }
        let status = Google_Rpc_Status.with {
            $0.code = code.rawValue
            $0.message = sentence
            $0.details =
                details.compactMap(\.self)
                + [info.flatMap { try? Google_Protobuf_Any(packing: $0) }]
                .compactMap(\.self)
        }
        self.init(code, sentence, details: (try? status.serializedBytes()) ?? [])
    }

    /// INVALID_ARGUMENT with every field violation at once.
    static func badRequest(
        _ violations: [FieldViolation], because reason: ErrorCode = .invalidArgument
    ) -> GRPCStatusError {
        let bad = Google_Rpc_BadRequest.with {
            $0.fieldViolations = violations.map { violation in
                .with {
                    $0.field = violation.field
                    $0.description = violation.description
                }
            }
        }
        return GRPCStatusError(
            .invalidArgument,
            violations.map { "\($0.field) \($0.description)" }.joined(separator: "; "),
            because: reason, [try? Google_Protobuf_Any(packing: bad)])
    }

    /// UNAVAILABLE with the reason, and when to try again.
    private static func unavailable(_ error: PipelineError) -> GRPCStatusError {
        let info = Google_Rpc_RetryInfo.with {
            $0.retryDelay = Google_Protobuf_Duration(retryDelay)
        }
        var status = GRPCStatusError(
            .unavailable, error.message, because: error.code,
            [try? Google_Protobuf_Any(packing: info)])
        status.retryAfter = retryDelay
        return status
    }

    /// What a refused request means to its caller.
    init(_ rejection: Rejection) {
        if rejection.code == .conflict {
            self.init(.alreadyExists, rejection.reason, because: rejection.code)
        } else if rejection.violations.isEmpty {
            self.init(.invalidArgument, rejection.reason, because: rejection.code)
        } else {
            self = .badRequest(rejection.violations, because: rejection.code)
        }
    }

    init(converting error: any Error) {
        switch error {
        case let status as GRPCStatusError: self = status
        case is CancellationError: self.init(.cancelled, "the call was cancelled")
        case let error as PipelineError where error.mayBeRepeated: self = .unavailable(error)
        case let error as PipelineError:
            self.init(.internal, error.message, because: error.code)
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
    /// `no-thread` and `no-descriptor` where the system has none left, `cannot-listen` otherwise.
    static func cannotListen(_ error: GRPCError) -> PipelineError {
        if error.code == .noThread { return .retryable(.noThread, error.message, cause: error) }
        if error.code == .noDescriptor {
            return .retryable(.noDescriptor, error.message, cause: error)
        }
        guard error.code == .addressInUse else {
            return .fatal(.cannotListen, error.message, cause: error)
        }
        return .fatal(
            .addressInUse,
            error.message + ": another process uses this port; stop it, or choose another port",
            cause: error)
    }
}

/// How a failed run crosses the wire: what may be done about it is in the status, its code in
/// [`google.rpc.ErrorInfo`](https://cloud.google.com/apis/design/errors).
///
/// | the generator's error | status | at the caller |
/// |---|---|---|
/// | retryable | UNAVAILABLE | retryable, elsewhere first |
/// | permanent | INVALID_ARGUMENT | permanent: the batch is split |
/// | fatal | FAILED_PRECONDITION | retryable, elsewhere first: this one can't go on, others may |
/// | anything else | INTERNAL | retryable, and permanent when it keeps happening |
extension GRPCStatusError {
    init(ofRun error: any Error) {
        switch error {
        case let status as GRPCStatusError: self = status
        case is CancellationError: self.init(.cancelled, "the run was cancelled")
        case let error as PipelineError:
            let code: GRPCStatusCode =
                switch error.disposition {
                case .retryable: .unavailable
                case .permanent: .invalidArgument
                case .fatal: .failedPrecondition
                case .fenced: .aborted
                }
            self.init(code, error.message, because: error.code)
        default: self.init(.internal, "internal error")
        }
    }

    /// The pipeline's code in the details; `nil` from servers that send none.
    var pipelineCode: ErrorCode? {
        guard let status = try? Google_Rpc_Status(serializedBytes: details) else { return nil }
        for detail in status.details {
            if let info = try? detail.unpack(as: Google_Rpc_ErrorInfo.self),
                info.domain == Self.errorDomain, !info.reason.isEmpty
            {
                return ErrorCode(wireName: info.reason)
            }
        }
        return nil
    }
}

extension ReportError {
    /// A case's failure on the wire: `invalid-parameters` becomes `INVALID_PARAMETERS`.
    init(code: ErrorCode, reason: String) {
        self.init()
        self.code = code.wireName
        message = reason.cut(to: GenerationLimits.reasonBytes)
    }
}

extension CaseResult {
    /// A case's failure from the wire: `INVALID_PARAMETERS` becomes `invalid-parameters`.
    init(_ error: ReportError) {
        self = .failure(
            code: error.code.isEmpty ? .generatorError : ErrorCode(wireName: error.code),
            reason: error.message.cut(to: GenerationLimits.reasonBytes))
    }
}

extension ErrorCode {
    /// A code as messages have it: `UPPER_CASE`.
    fileprivate var wireName: String { String(name.uppercased().map { $0 == "-" ? "_" : $0 }) }

    /// A message's code, which the other side has chosen.
    init(wireName: String) {
        self.init(foreign: String(wireName.lowercased().map { $0 == "_" ? "-" : $0 }))
    }
}

extension String {
    /// The longest prefix of whole characters with at most so many bytes.
    fileprivate func cut(to bytes: Int) -> String {
        if utf8.count <= bytes { return self }
        var kept = ""
        for character in self {
            if kept.utf8.count + character.utf8.count > bytes { break }
            kept.append(character)
        }
        return kept
    }
}

/// What one call of `GenerateReports` may carry, for both sides.
public enum GenerationLimits {
    /// Most definitions in a call; more are refused with INVALID_ARGUMENT.
    public static let definitions = 10_000
    /// The longest message, in bytes: enough for ``definitions`` of the longest definitions, and
    /// for as many reports or errors.
    static let messageBytes = 16 << 20
    /// The longest sentence of a case's error, in bytes of UTF-8; longer ones are cut.
    fileprivate static let reasonBytes = 1024
    /// The longest `batch_id`, in bytes of UTF-8.
    static let batchIDBytes = 200
}
