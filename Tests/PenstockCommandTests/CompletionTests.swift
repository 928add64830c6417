// Foundation starts the shells; nothing else of it is used.
import CommandLineInterface
import Foundation
import Testing

@Suite("Completion scripts")
struct CompletionTests {
    @Test("name every command", arguments: ["bash", "zsh", "fish"])
    func content(_ shell: String) async {
        let terminal = Terminal()
        #expect(await terminal.penstock("completion", shell) == .success)
        for words in HelpTests.commands where !words.isEmpty {
            #expect(terminal.out.contains(words.last!), "\(shell): \(words)")
        }
    }

    @Test("are understood by bash, and complete there")
    func bash() async throws {
        let terminal = Terminal()
        _ = await terminal.penstock("completion", "bash")
        #expect(try run("bash", "-n", input: terminal.out).status == 0)
        let script =
            terminal.out + """

                COMP_WORDS=(penstock report w); COMP_CWORD=2
                _penstock penstock w report
                echo "${COMPREPLY[@]}"
                """
        let completed = try run("bash", "--norc", input: script)
        #expect(completed.status == 0)
        #expect(completed.output == "wait\n")
    }

    private func run(_ arguments: String..., input: String) throws -> (
        status: Int32, output: String
    ) {
        let (process, standardInput, standardOutput) = (Process(), Pipe(), Pipe())
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        process.standardInput = standardInput
        process.standardOutput = standardOutput
        try process.run()
        try standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try standardInput.fileHandleForWriting.close()
        let output = try standardOutput.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
}
