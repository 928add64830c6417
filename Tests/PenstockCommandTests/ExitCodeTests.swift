// Foundation makes files; nothing else of it is used.
import CommandLineInterface
import DryRunReport
import Foundation
import LocatedJSON
import PipelineCore
import Testing

@testable import PenstockCommand

@Suite("A command's exit code", .timeLimit(.minutes(5)))
final class ExitCodeTests {
    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "penstock-command-\(RandomSource().uuid())")
    private let terminal = Terminal()

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(at: folder) }

    private func file(_ text: String) throws -> String {
        let path = folder.appending(path: "pipeline.json")
        try Data(text.utf8).write(to: path)
        return path.path
    }

    /// A pipeline in the folder that is in order.
    private func pipeline(
        trigger: String = #"{ "any": [ { "max_age": "1h" }, { "manual": true } ] }"#
    )
        throws -> String
    {
        let store = "embedded:\(folder.path)/penstock.sqlite"
        return try file(
            """
            { "version": 1, "name": "reports", "sla": "24h",
              "resources": { "db": { "url": "\(store)" } },
              "stages": [
                { "id": "in", "type": "ingest", "codec": "report-request",
                  "from": [ { "resource": "db", "topic": "requests", "create": {} } ] },
                { "id": "batch", "type": "accumulate", "store": "db", "trigger": \(trigger) },
                { "id": "reports", "type": "generate", "generator": "conversion", "store": "db" },
                { "id": "out", "type": "publish", "to": "db", "topic": "ready" } ] }
            """)
    }

    @Test("of a dry run is 0, 1, 69 or 78, by its outcome")
    func dryRun() {
        let outcomes: [DryRunReport.Outcome] = [.passed, .failed, .unreachable, .misconfigured]
        #expect(outcomes.map(\.exitCode.rawValue) == [0, 1, 69, 78])
    }

    @Test(
        "is 64 for a command line that is not understood, with a hint",
        arguments: [
            (["rnu"], "did you mean run?"), (["run"], "FILE"),
            (["report", "get"], "CASE_ID"),
            (["report", "get", "--fromat", "json", "x"], "--format"),
            (["stages", "accumluate"], "did you mean \"accumulate\"?"),
            (["completion", "tcsh"], "tcsh"), (["run", "--role", "king", "f.json"], "worker"),
            (["dry-run"], "FILE"), (["dry-run", "--repeats", "500%", "f.json"], "0% to 100%"),
            (["dry-run", "--arrivals", "sometimes", "f.json"], "--arrivals"),
            (["sample-data", "--store", "nonsense"], "is not the address of a store"),
            (
                ["dry-run", "--input", "a", "--arrivals", "burst 9 at 1h", "f.json"],
                "--arrivals has no effect beside --input"
            ),
            (["dry-run", "--input", "a", "--repeats", "5%", "f.json"], "--repeats has no effect"),
            (["dry-run", "--offline", "--timeout", "1s", "f.json"], "--timeout has no effect"),
            (["dry-run", "--seed", "1", "--seed=2", "f.json"], "--seed stands 2 times"),
            (["run", "--role", "api", "--role", "worker", "f.json"], "--role stands 2 times"),
            (
                ["dry-run", "f.json"] + (1...6).flatMap { ["--compare", "\($0).json"] },
                "--compare takes 5 files, not 6"
            ),
            (
                ["health", "--server", "http://127.0.0.1:1/readyz", "--service", "a"],
                "--service has no effect"
            ),
        ])
    func usage(_ arguments: [String], _ hint: String) async {
        #expect(await terminal.penstock(arguments) == .usage)
        #expect(terminal.err.contains(hint), "\(terminal.err)")
        #expect(terminal.out == "")
    }

    @Test("is 64 without any arguments, and the help is shown")
    func noArguments() async {
        #expect(await terminal.penstock([]) == .usage)
        #expect(terminal.err.contains("penstock"))
    }

    @Test("is 78 for a pipeline file that is not in order, with file, line and column")
    func configuration() async throws {
        let path = try pipeline(trigger: #"{ "cuont": 5 }"#)
        for command in ["validate", "run", "migrate", "dry-run"] {
            let terminal = Terminal()
            #expect(await terminal.penstock(command, path) == .configuration)
            let said = terminal.out + terminal.err
            #expect(said.contains("\(path):6:"), "\(command): \(said)")
            #expect(said.contains("did you mean \"count\"?"), "\(command): \(said)")
        }
    }

    @Test(
        "is 78 for a file that can't be read",
        arguments: ["validate", "run", "migrate", "flush", "dry-run"])
    func unreadable(_ command: String) async {
        let arguments = [command, "nowhere.json"] + (command == "flush" ? ["batch"] : [])
        #expect(await terminal.penstock(arguments) == .configuration)
        #expect((terminal.err + terminal.out).contains("nowhere.json"))
    }

    @Test("is 0 for a file that is in order, and says what it is")
    func valid() async throws {
        let path = try pipeline()
        #expect(await terminal.penstock("validate", path) == .success)
        #expect(
            terminal.out.hasSuffix(
                "\n\(path): ok (reports: ingest → accumulate → generate → publish)\n"))
    }

    @Test("is 0 for a dry run that finds nothing wrong, and 1 under --strict for one that skips")
    func dryRun() async throws {
        let path = try pipeline()
        let trace = ["--arrivals", "uniform 60/h for 1h", path]
        #expect(await terminal.penstock(["dry-run"] + trace) == .success, "\(terminal.out)")
        #expect(terminal.err == "")
        #expect(await terminal.penstock(["dry-run", "--offline"] + trace) == .success)
        #expect(await terminal.penstock(["dry-run", "--offline", "--strict"] + trace) == .failure)
        #expect(terminal.out.contains("SKIP  not asked: --offline"))
    }

    @Test("is 0 for a dry run that compares several files, each of which is shown")
    func comparisons() async throws {
        let path = try pipeline()
        var others: [String] = []
        for age in ["10m", "20m"] {
            others.append("\(folder.path)/\(age).json")
            let text = try String(contentsOfFile: path, encoding: .utf8)
            try Data(text.replacing("1h", with: age).utf8).write(to: URL(filePath: others.last!))
        }
        let arguments = ["dry-run", "--offline", "--arrivals", "uniform 60/h for 1h", path]
        let compared = arguments + others.flatMap { ["--compare", $0] }
        for format in ["text", "json", "html"] {
            let terminal = Terminal()
            #expect(await terminal.penstock(compared + ["--format", format]) == .success)
            for name in ["pipeline.json", "10m.json", "20m.json"] {
                #expect(terminal.out.contains(name), "\(format): \(name)")
            }
        }
        #expect(await terminal.penstock(compared + ["--format", "json"]) == .success)
        let json = try JSON(parsing: terminal.out)
        #expect(json["comparisons"]?.items?.compactMap { $0["other"]?["file"]?.string } == others)
    }

    @Test("is 69 when the server can't be reached")
    func unavailable() async {
        for arguments in [
            ["report", "get"], ["report", "wait", "--for", "1s"],
        ] {
            let terminal = Terminal()
            let code = await terminal.penstock(
                arguments + [
                    "--server", "127.0.0.1:1", "--timeout", "2s",
                    "6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11",
                ])
            #expect(code == .unavailable)
            #expect(terminal.err.contains("127.0.0.1:1"))
        }
        #expect(await terminal.penstock("health", "--server", "127.0.0.1:1") == .unavailable)
    }

    @Test("is 69 when a store can't be reached")
    func unreachableStore() async {
        let code = await terminal.penstock(
            "sample-data", "--store", "postgres://ada:secret@127.0.0.1:1/penstock?connect_timeout=2"
        )
        #expect(code == .unavailable)
        #expect(!terminal.err.contains("secret"))
    }

    @Test("is 0 for a flush of an accumulate stage, and 64 for another stage")
    func flush() async throws {
        let path = try pipeline()
        #expect(await terminal.penstock("flush", path, "out") == .usage)
        #expect(terminal.err.contains("there is batch"))
        // It looks, and makes nothing.
        #expect(await terminal.penstock("flush", path, "batch") == .unavailable)
        #expect(
            terminal.err.contains(
                "the ledger of batch is not in embedded:\(folder.path)/penstock.sqlite: the file is not there. "
            ), "\(terminal.err)")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["pipeline.json"])
        #expect(await terminal.penstock("migrate", path) == .success)
        #expect(await terminal.penstock("flush", path, "batch") == .success)
        #expect(terminal.err.hasSuffix("flush of batch requested\n"))
        // The store is there, and knows nothing of another pipeline.
        let text = try String(contentsOfFile: path, encoding: .utf8)
        _ = try file(text.replacing("\"reports\", \"sla\"", with: "\"others\", \"sla\""))
        #expect(await terminal.penstock("flush", path, "batch") == .unavailable)
        #expect(
            terminal.err.contains("neither `run` nor `migrate` has made the stage there"),
            "\(terminal.err)")
    }

    @Test("is 69 for a generator whose embedded store is not there, and none is made")
    func generateWithoutStore() async throws {
        let store = "embedded:\(folder.path)/s.sqlite"
        let code = await terminal.penstock(
            "generate", "--store", store, "--listen", "grpc://127.0.0.1:1")
        #expect(code == .unavailable)
        #expect(terminal.err.contains("\(store) is not there"), "\(terminal.err)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test("is 0 for sample data, which can be counted again")
    func sampleData() async throws {
        let events = folder.appending(path: "events.jsonl").path
        let code = await terminal.penstock(
            "sample-data", "--store", "embedded:\(folder.path)/s.sqlite", "--days", "1",
            "--products", "5", "--views-per-day", "40", "--payments-per-day", "10", "--emit", events
        )
        #expect(code == .success)
        let lines = try String(contentsOfFile: events, encoding: .utf8).split(separator: "\n")
        #expect(terminal.err.contains("\(lines.count) events in"))
        #expect(lines.count > 0)
    }

    @Test("is 0 for a schema that is JSON")
    func schema() async throws {
        #expect(await terminal.penstock("schema") == .success)
        #expect(try JSONSerialization.jsonObject(with: Data(terminal.out.utf8)) is [String: Any])
    }
}
