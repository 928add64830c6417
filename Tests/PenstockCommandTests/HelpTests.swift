import CommandLineInterface
import PenstockCommand
import StandardCatalogue
import Testing

@Suite("What the program says about itself")
struct HelpTests {
    /// Every command of the tree, by the words that name it.
    static let commands: [[String]] = words(of: PenstockCommand.tree(.standard))

    private static func words(of command: Command) -> [[String]] {
        [[]] + command.commands.flatMap { child in words(of: child).map { [child.name] + $0 } }
    }

    @Test("is the help of every command", arguments: commands)
    func help(_ words: [String]) async throws {
        let terminal = Terminal()
        #expect(await terminal.penstock(words + ["--help"]) == .success)
        #expect(terminal.err == "")
        try GoldenText.expect(
            terminal.out, toBe: (["penstock"] + words).joined(separator: "-") + ".help.txt")
    }

    @Test("has an example for every command that does something", arguments: commands)
    func examples(_ words: [String]) {
        var command = PenstockCommand.tree(.standard)
        for word in words { command = command.commands.first { $0.name == word }! }
        #expect(!command.examples.isEmpty, "\(words)")
    }

    @Test(
        "is a reference of every stage",
        arguments: ["ingest", "dedupe", "accumulate", "generate", "publish", "cache"])
    func stages(_ name: String) async throws {
        let terminal = Terminal()
        #expect(await terminal.penstock("stages", name) == .success)
        try GoldenText.expect(terminal.out, toBe: "stages-\(name).txt")
    }

    @Test("is an overview of stages, codecs, connectors and generators")
    func overview() async throws {
        let terminal = Terminal()
        #expect(await terminal.penstock("stages") == .success)
        try GoldenText.expect(terminal.out, toBe: "stages.txt")
    }

    @Test("is its version")
    func version() async {
        let terminal = Terminal()
        #expect(await terminal.penstock("--version") == .success)
        #expect(terminal.out == "penstock \(PenstockCommand.version)\n")
    }
}
