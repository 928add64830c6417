internal import GRPCTransport
internal import PipelineCore
internal import Protobuf
internal import ReportMessages

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
    private static let errorDomain = "penstock"

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
            self.init(code, error.message, details: Self.details(code, error))
        default: self.init(.internal, "internal error")
        }
    }

    private static func details(_ code: GRPCStatusCode, _ error: PipelineError) -> [UInt8] {
        let info = Google_Rpc_ErrorInfo.with {
            $0.reason = error.code.wireName
            $0.domain = errorDomain
        }
        let status = Google_Rpc_Status.with {
            $0.code = code.rawValue
            $0.message = error.message
            $0.details = (try? Google_Protobuf_Any(packing: info)).map { [$0] } ?? []
        }
        return (try? status.serializedBytes()) ?? []
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
