internal import GRPCTransport
internal import PipelineCore
internal import Protobuf

/// How a failed run crosses the wire: what may be done about it is in the status, its code in
/// [`google.rpc.ErrorInfo`](https://cloud.google.com/apis/design/errors).
///
/// | the generator's error | status | at the caller |
/// |---|---|---|
/// | retryable | UNAVAILABLE | retryable, elsewhere first |
/// | permanent | INVALID_ARGUMENT | permanent: the batch is split |
/// | fatal | FAILED_PRECONDITION | retryable, elsewhere first: this generator can't go on, others may |
/// | anything else | INTERNAL | retryable, and permanent when it keeps happening |
extension GRPCStatusError {
    static let errorDomain = "penstock"

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
            $0.reason = error.code.wireCode
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
    var pipelineCode: String? {
        guard let status = try? Google_Rpc_Status(serializedBytes: details) else { return nil }
        for detail in status.details {
            if let info = try? detail.unpack(as: Google_Rpc_ErrorInfo.self),
                info.domain == Self.errorDomain, !info.reason.isEmpty
            {
                return info.reason.pipelineCode
            }
        }
        return nil
    }
}
