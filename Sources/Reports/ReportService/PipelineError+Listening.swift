internal import GRPCTransport
internal import PipelineCore

extension PipelineError {
    /// Why a service can't be served: `address-in-use` where another process has the port, `cannot-listen` otherwise.
    static func cannotListen(_ error: GRPCError) -> PipelineError {
        guard error.code == .addressInUse else {
            return .fatal("cannot-listen", error.message, cause: error)
        }
        return .fatal(
            "address-in-use",
            error.message + ": another process uses this port; stop it, or choose another port",
            cause: error)
    }
}
