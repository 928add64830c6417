internal import CommandLineInterface
internal import PipelineCore

extension PipelineError {
    /// Whether the environment is what is wrong, and not what was asked for: it may pass, or somebody has to do something
    /// about a server, a database, a file or an address.
    var isOfEnvironment: Bool { disposition == .retryable || code.ending == .unavailable }

    /// How a command that this error ends exits.
    var exitCode: ExitCode {
        switch code.ending {
        case .outputFailed?: .outputFailed
        case .outputClosed?: .outputClosed
        case .passing?, .record?, .failure?, .unavailable?, nil:
            isOfEnvironment ? .unavailable : .failure
        }
    }
}
