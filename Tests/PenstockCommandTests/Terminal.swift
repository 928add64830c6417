import CommandLineInterface
import PenstockCommand
import PipelineTesting
import StandardCatalogue

/// The command line, with what it prints.
struct Terminal: Sendable {
    private let printed = Journal<String>()
    private let complained = Journal<String>()
    /// Whether a person reads.
    let isTerminal: Bool
    /// Whether that person wants colours.
    let allowsColour: Bool

    init(isTerminal: Bool = false, allowsColour: Bool = false) {
        self.isTerminal = isTerminal
        self.allowsColour = allowsColour
    }

    /// What the commands have printed as results so far.
    var out: String { printed.entries.joined() }
    /// What they have said besides.
    var err: String { complained.entries.joined() }

    /// Runs `penstock` with these arguments.
    func penstock(_ arguments: String...) async -> ExitCode { await penstock(arguments) }

    func penstock(_ arguments: [String]) async -> ExitCode {
        await PenstockCommand.tree(.standard).run(
            arguments,
            console: Console(
                out: { [printed] in printed.note($0) },
                err: { [complained] in complained.note($0) }, isTerminal: isTerminal,
                isOutTerminal: isTerminal, allowsColour: allowsColour))
    }
}
