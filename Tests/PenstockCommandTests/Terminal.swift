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

// Foundation reads and writes files; nothing else of it is used.
import Foundation
import Testing

/// The texts in `Golden`, beside this one.
///
/// `PENSTOCK_UPDATE_GOLDEN=1 swift test` writes what the program says now, to be read in the
/// change.
enum GoldenText {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "Golden")

    /// Compares a text with the golden file of that name.
    static func expect(
        _ text: String, toBe name: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let file = folder.appending(path: name)
        if ProcessInfo.processInfo.environment["PENSTOCK_UPDATE_GOLDEN"] != nil {
            try Data(text.utf8).write(to: file)
        }
        let golden = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        #expect(text == golden, sourceLocation: sourceLocation)
    }
}
