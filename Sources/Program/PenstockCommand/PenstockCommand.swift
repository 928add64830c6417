public import CommandLineInterface
internal import Glibc
internal import Logging
public import PipelineCore
internal import StandardCatalogue

/// The command line as a library: a third party's program calls ``main(_:catalogue:)`` with a
/// catalogue of its own.
public enum PenstockCommand {
    public static let version = "0.1.0"

    /// The tree of commands over a catalogue.
    public static func tree(_ catalogue: Catalogue) -> Command {
        Command(
            "penstock", "Accumulates work that is cheap to do together, and does it together.",
            details: """
                A pipeline file says what is read, when batches are sealed, and where answers go. \
                Start with `penstock validate FILE`, then `penstock run FILE`.

                Exit codes:
                  0   ok
                  1   a check failed, or the work did
                  64  the command line was not understood
                  69  a server, a store or an address can't be used here
                  70  a stop took longer than its grace and two seconds: the log names what hung
                  74  the output could not be written
                  75  not ready yet: the same command may work later
                  78  a pipeline file is not in order
                  141 the reader of the output went away
                """,
            version: version,
            examples: [
                .init(
                    "validate Pipelines/*.json", "Checks pipeline files without touching anything."),
                .init("run Pipelines/*.json", "Runs pipelines and the API in one process."),
                .init("stages accumulate", "Explains a stage and its settings."),
            ],
            commands: [
                run(catalogue), generate(catalogue), migrate(catalogue), sampleData(catalogue),
                report, batches(catalogue), showCase(catalogue), top(catalogue), flush(catalogue),
                cancel(catalogue), replayBatch(catalogue), pause(catalogue), resume(catalogue),
                positions(catalogue), changes(catalogue), reload, deadLetters(catalogue),
                validate(catalogue), dryRun(catalogue), explainError(catalogue),
                stages(catalogue), schema(catalogue), metrics(catalogue),
                token, health, .completion,
            ])
    }

    /// The commands that run until they are told to stop, and take SIGHUP for a wish.
    private static let serving: Set<String> = ["run", "generate"]

    /// Runs the command line and ends the process with its exit code.
    ///
    /// Without exit handlers: threads of libraries may be at work to the very end (a Kafka client
    /// that is being destroyed, gRPC's), and OpenSSL's handler takes away what they work with.
    public static func main(_ arguments: [String], catalogue: Catalogue? = nil) async -> Never {
        // Others end when their terminal does.
        if serving.contains(arguments.first ?? "") { ProcessStop.holdReloads() }
        StandardOutput.prepare()
        let code = await tree(catalogue ?? .standard).run(arguments, console: .standard)
        LogStream.standardError.flush()
        _exit(StandardOutput.exitCode(after: code).rawValue)
    }
}

extension PipelineError {
    /// Whether the environment is what is wrong, and not what was asked for: it may pass, or
    /// somebody has to do something about a server, a database, a file or an address.
    var isOfEnvironment: Bool { disposition == .retryable || code.ending == .unavailable }

    /// How a command that this error ends exits.
    var exitCode: ExitCode {
        switch code.ending {
        case .outputFailed?: .outputFailed
        case .outputClosed?: .outputClosed
        case .passing?, .record?, .noted?, .takenOver?, .failure?, .unavailable?, nil:
            isOfEnvironment ? .unavailable : .failure
        }
    }
}
