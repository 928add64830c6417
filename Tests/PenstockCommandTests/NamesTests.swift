// Foundation makes files; nothing else of it is used.
import CommandLineInterface
import Foundation
import Logging
import PipelineCore
import PipelineTesting
import StandardCatalogue
import Testing

@testable import PenstockCommand

@Suite("Names that commands are given", .timeLimit(.minutes(5)))
final class NamesTests {
    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "penstock-names-\(RandomSource().uuid())")
    private let terminal = Terminal()

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(at: folder) }

    private func write(_ name: String, _ text: String) throws -> String {
        let path = folder.appending(path: name)
        try Data(text.utf8).write(to: path)
        return path.path
    }

    private var resources: String {
        #""resources": { "db": { "url": "embedded:\#(folder.path)/penstock.sqlite" } }"#
    }

    private func reports(
        _ name: String = "reports", intake: String = "in", stage: String = "batch",
        sink: String = "out"
    ) throws -> String {
        try write(
            "reports.json",
            """
            { "version": 1, "name": "\(name)", "sla": "24h", \(resources),
              "stages": [
                { "id": "\(intake)", "type": "ingest", "codec": "report-request",
                  "from": [ { "resource": "db", "topic": "requests", "create": {} } ] },
                { "id": "\(stage)", "type": "accumulate", "store": "db",
                  "trigger": { "any": [ { "max_age": "1h" }, { "manual": true } ] } },
                { "id": "reports", "type": "generate", "generator": "conversion", "store": "db" },
                { "id": "\(sink)", "type": "publish", "to": "db", "topic": "ready" } ] }
            """)
    }

    private func events(_ name: String = "events") throws -> String {
        try write(
            "events.json",
            """
            { "version": 1, "name": "\(name)", "sla": "24h", \(resources),
              "stages": [
                { "id": "in", "type": "ingest", "codec": "conversion-event",
                  "from": [ { "resource": "db", "topic": "events", "create": {} } ] },
                { "id": "kept", "type": "publish", "to": "db" } ] }
            """)
    }

    /// Runs a command, and answers its exit code and what it has said.
    private func penstock(_ arguments: String...) async -> (code: Int32, said: String) {
        let terminal = Terminal()
        let code = await terminal.penstock(arguments)
        return (Int32(code.rawValue), terminal.out + terminal.err)
    }

    private func paused(_ path: String) async -> [String] {
        let said = await penstock("batches", path).said
        return said.split(separator: "\n").filter { $0.contains("  paused ") }.map {
            String($0.split(separator: "  ")[1].prefix { $0 != "2" })
        }
    }

    @Test("in a renaming are held against all files before anything is moved")
    func renaming() async throws {
        #expect(await penstock("migrate", try reports()).code == 0)
        #expect(await penstock("pause", "--intake", try reports()).code == 0)
        let path = try reports(intake: "requests", sink: "announce")
        let right = ["--rename", "reports/out=reports/announce"]
        for (wrong, why) in [
            ("reports/in=reports/nowhere", "there is requests, batch, reports, announce"),
            ("reports/in=others/in", "there is events, reports"),
            ("reports=others", "there is events, reports"),
            ("reports/in=reports/batch", "another kind"),
            ("reports/batch=reports/announce", "another kind"),
            ("reports/in=events/kept", "another kind"), ("reports=events", "another kind"),
        ] {
            let terminal = Terminal()
            let code = await terminal.penstock(
                ["migrate"] + right + ["--rename", wrong, path, try events()])
            #expect(code != .success, "\(wrong)")
            #expect(terminal.err.contains(why), "\(wrong): \(terminal.err)")
            #expect(!terminal.err.contains("is paused now"), "\(wrong): \(terminal.err)")
        }
        // Nothing was moved.
        let found = await penstock("migrate", try reports())
        #expect(found.code == 0, "\(found.said)")
        #expect(
            await paused(try reports()) == [
                "delivery to out since ", "generation since ", "intake of in since ",
                "sealing since ",
            ])
    }

    @Test("of what is paused, and was renamed or taken away, end its pause")
    func resume() async throws {
        #expect(await penstock("migrate", try reports()).code == 0)
        #expect(await penstock("pause", "--intake", try reports(), "--reason", "repair").code == 0)
        let path = try reports(intake: "requests", sink: "announce")
        for (command, code) in [("migrate", 69), ("dry-run", 1)] {
            let refused = await penstock(command, path)
            #expect(refused.code == code, "\(refused)")
            #expect(refused.said.contains("delivery to out is paused (repair"), "\(refused)")
            #expect(refused.said.contains("resume FILE out"), "\(refused)")
        }
        let unknown = await penstock("resume", path, "in", "nosuch")
        #expect(unknown.code == 64)
        #expect(unknown.said.contains("there is announce, batch, reports, requests"), "\(unknown)")
        let resumed = await penstock("resume", path, "in")
        #expect(resumed.code == 0)
        #expect(resumed.said == "resumed: intake of in\n", "\(resumed)")
        #expect(await penstock("migrate", path).code == 69)
        #expect(
            await penstock("resume", path, "out", "reports").said.contains(
                "resumed: delivery to out, generation\n"))
        let migrated = await penstock("migrate", path)
        #expect(migrated.code == 0, "\(migrated)")
        #expect(await paused(path) == ["sealing since "])
        // The accumulate stage's own, under a name that has no row.
        let collect = try reports(intake: "requests", stage: "collect", sink: "announce")
        #expect(await penstock("migrate", collect).said.contains("sealing is paused"))
        #expect(await penstock("resume", collect, "batch").said == "resumed: sealing\n")
        #expect(await penstock("migrate", collect).code == 0)
        #expect(await paused(collect).isEmpty)
        // By the service of a process that has taken its place.
        let others = try reports("others")
        for command in ["migrate", "pause"] { #expect(await penstock(command, others).code == 0) }
        let operations = try await LedgerOperations(
            try PipelineFiles.reread(
                [reports(intake: "requests", stage: "collect", sink: "announce")],
                catalogue: .standard)[0], stage: nil, by: "ada", catalogue: .standard)
        for name in ["others", "out"] {
            await #expect(throws: CommandFailure.self) {
                try await operations.resume(
                    PauseTarget(stages: ["others/out", name], withIntake: true))
            }
        }
        #expect(
            try await operations.resume(PauseTarget(stages: ["others/batch"], withIntake: true))
                == ["delivery to out", "generation", "sealing"])
        await operations.close()
    }

    @Test("of stages that no file and no letter knows are refused")
    func letters() async throws {
        let path = try reports()
        #expect(await penstock("migrate", path).code == 0)
        for command in [["list"], ["replay", "--all"], ["drop", "--all"]] {
            let terminal = Terminal()
            let code = await terminal.penstock(
                ["dead-letters", command[0], path, "--stage", "nosuch"] + command.dropFirst())
            #expect(code == .usage, "\(command): \(terminal.out)")
            #expect(
                terminal.err.contains("no stage \"nosuch\"")
                    && terminal.err.contains("there is in, batch, reports, out"),
                "\(terminal.err)")
        }
        #expect(await penstock("dead-letters", "list", path, "--stage", "out").code == 0)
    }

    @Test("of stages that are in no file any more reach the letters that name them")
    func oldLetters() async throws {
        let path = try reports()
        #expect(await penstock("migrate", path).code == 0)
        let definition = try PipelineFiles.reread([path], catalogue: .standard)[0]
        var resources = OpenResources(
            catalogue: .standard,
            context: ResourceContext(
                clock: .system, random: RandomSource(), logger: Logger(label: "test"),
                isRunning: false))
        _ = try resources.open(definition)
        let letter = Rejection(
            Record(payload: [1], timestamp: .epoch, origin: Origin(source: "requests", offset: 0)),
            stage: "former", code: "malformed", reason: "why")
        _ = try await resources.stores[0].deadLetters(of: "reports").keep([
            StoredDeadLetter(
                letter, resource: "db", refusal: PipelineError(.deadLettersRefused, "full"))
        ])
        await resources.close()
        for command in ["list", "list --code conflict", "drop --all"] {
            let words = command.split(separator: " ").map(String.init)
            let terminal = Terminal()
            let code = await terminal.penstock(
                ["dead-letters", words[0], path, "--stage", "former"] + words.dropFirst())
            #expect(code == .success, "\(command): \(terminal.err)")
            #expect(terminal.out.contains("former") == (command == "list"), "\(terminal.out)")
        }
        let gone = await penstock("dead-letters", "list", path, "--stage", "former")
        #expect(gone.code == 64, "\(gone)")
    }

    @Test("of pipelines without an accumulate stage are told what can be done")
    func withoutLedger() async throws {
        let path = try events()
        for command in ["pause", "resume"] {
            let refused = await penstock(command, path)
            #expect(refused.code == 64)
            #expect(refused.said.contains("stop the process that runs it"), "\(refused)")
        }
    }
}
