import ConfigurationFields
import ConfigurationDiagnostics
import PipelineConfiguration
import PipelineCore
import StandardCatalogue
import Testing

/// What the shipped stages, codecs, connectors and generators need of each other.
///
/// That each rule finds its example is tested with `explain-error`; here is what lies around it.
@Suite("The rules of a pipeline file")
struct RulesTests {
    private static let file = """
        { "version": 1, "name": "reports", "sla": "24h",
          "resources": { "bus": { "url": "kafka://broker:9092" }, "other": { "url": "kafka://broker:9092" },
            "store": { "url": "postgres://db/penstock" }, "cache": { "url": "memory:64MiB" },
            "api": { "url": "grpc://127.0.0.1:50051" }, "lines": { "url": "file:requests.jsonl" },
            "disk": { "url": "embedded:data/penstock.sqlite" } },
          "stages": [
            { "id": "requests", "type": "ingest", "codec": "report-request", "from": [ FROM ] },
            { "id": "batch", "type": "accumulate", "store": "store", "trigger": TRIGGER },
            { "id": "reports", "type": "generate", "generator": "conversion", "store": "store" },
            { "id": "ready", "type": "publish", SINK } ] }
        """

    /// The codes found, unused resources left out.
    private func codes(
        from: String = #"{ "resource": "bus", "topic": "requests" }"#,
        trigger: String = #"{ "max_age": "1h" }"#,
        sink: String = #""to": "bus", "topic": "ready""#, _ changes: (String, String)...
    ) -> [String] {
        var text = Self.file.replacing("FROM", with: from).replacing("TRIGGER", with: trigger)
            .replacing("SINK", with: sink)
        for (old, new) in changes { text = text.replacing(old, with: new) }
        let reading = PipelineReader(catalogue: .standard, environment: .empty)
            .read(Array(text.utf8), file: "a.json")
        return reading.diagnostics.list.map(\.code.rawValue).filter { $0 != "unused-resource" }
    }

    @Test("find nothing in a file that is in order but how long a case waits")
    func order() { #expect(codes() == ["worst-case-wait"]) }

    @Test(
        "tell a bus, which has topics, from everything else",
        arguments: [
            (#"{ "resource": "bus" }"#, ["wrong-resource"]),
            (#"{ "resource": "disk" }"#, ["wrong-resource"]),
            (#"{ "resource": "disk", "topic": "requests" }"#, ["worst-case-wait"]),
            (#"{ "resource": "store", "topic": "requests" }"#, ["wrong-resource"]),
            (#"{ "resource": "api", "topic": "requests" }"#, ["wrong-resource"]),
            (#"{ "resource": "api" }"#, ["worst-case-wait"]),
            (#"{ "resource": "lines" }"#, ["worst-case-wait"]),
            (#"{ "resource": "lines", "group": "a" }"#, ["unused-setting"]),
            (#"{ "resource": "bus", "topic": "" }"#, ["invalid-value"]),
            (#"{ "resource": "bus", "topic": "two words" }"#, ["invalid-value"]),
        ])
    func inputs(_ from: String, _ expected: [String]) { #expect(codes(from: from) == expected) }

    @Test(
        "find an input that is read twice, by whatever name",
        arguments: [
            #"{ "resource": "bus", "topic": "a" }, { "resource": "other", "topic": "a" }"#,
            #"{ "resource": "api" }, { "resource": "api" }"#,
            #"{ "resource": "lines" }, { "resource": "bus", "topic": "a" }, { "resource": "lines" }"#,
        ])
    func repeats(_ from: String) { #expect(codes(from: from) == ["repeated-input"]) }

    @Test("allow several topics of one bus")
    func topics() {
        let from = #"{ "resource": "bus", "topic": "a" }, { "resource": "bus", "topic": "b" }"#
        #expect(codes(from: from) == ["worst-case-wait"])
    }

    @Test(
        "know what a sink takes",
        arguments: [
            (#""to": "bus""#, ["wrong-resource"]), (#""to": "store""#, ["edge-mismatch"]),
            (#""to": "disk""#, ["edge-mismatch"]),
            (#""to": "store", "topic": "a""#, ["wrong-resource"]),
            (#""to": "disk", "topic": "ready""#, ["worst-case-wait"]),
            (#""to": "api""#, ["wrong-resource"]), (#""to": "lines""#, ["worst-case-wait"]),
            (#""to": "lines", "create": {}"#, ["unused-setting"]),
            (#""to": "other", "topic": "requests""#, ["topic-loop"]),
        ])
    func sinks(_ sink: String, _ expected: [String]) { #expect(codes(sink: sink) == expected) }

    /// A pipeline of lines, from one address to another.
    private func copy(_ from: String, to: String, name: String = "copy", more: String = "")
        -> String
    {
        """
        { "version": 1, "name": "\(name)",
          "resources": { "in": { "url": "\(from)" }, "out": { "url": "\(to)" }\(more) },
          "stages": [ { "id": "read", "type": "ingest", "from": [ { "resource": "in" } ] },
                      { "id": "write", "type": "publish", "to": "out" } ] }
        """
    }

    private func found(_ files: String...) -> [String] {
        let named = files.enumerated().map { (name: "\($0).json", bytes: Array($1.utf8)) }
        return PipelineReader(catalogue: .standard, environment: .empty).read(together: named)
            .flatMap(\.diagnostics.list)
            .filter { $0.severity != .note && $0.code != .unusedResource }
            .map { "\($0.severity) \($0.code.rawValue): \($0.message)" }
    }

    @Test(
        "refuse a file that is read and written, by whatever path",
        arguments: [
            ("file:data/a", "file:data/a"), ("file:data/a", "file:./data/a"),
            ("file:data/a", "file:data/../data/a"),
            ("file:/tmp/no-such-a", "file:/tmp/./no-such-a"),
            ("file:/dev/../tmp/no-such-a", "file:/tmp/no-such-a"),
        ])
    func filesReadAndWritten(_ from: String, _ to: String) {
        #expect(
            found(copy(from, to: to)) == [
                "error file-conflict: publish \"write\" writes to \(to), which ingest \"read\" reads"
            ])
        #expect(
            found(copy(from, to: "stdio:"), copy("stdio:", to: to, name: "other")) == [
                "error file-conflict: publish \"write\" writes to \(to), which ingest \"read\" of 0.json reads"
            ])
        #expect(
            found(copy("stdio:", to: to), copy(from, to: "stdio:", name: "other")) == [
                "error file-conflict: ingest \"read\" reads \(from), which publish \"write\" of 0.json writes to"
            ])
    }

    @Test("refuse the place of refused lines, and a database, as a file of lines")
    func filesOfOthers() {
        #expect(
            found(copy("file:a", to: "file:./a.dead-letters")) == [
                "error file-conflict: publish \"write\" writes to file:./a.dead-letters, where ingest \"read\" keeps what it refuses of file:a"
            ])
        let dead = copy("file:a.dead-letters", to: "stdio:", name: "other")
        #expect(
            found(copy("file:a", to: "stdio:"), dead) == [
                "error file-conflict: ingest \"read\" reads file:a.dead-letters, where ingest \"read\" of 0.json keeps what it refuses of file:a"
            ])
        #expect(
            found(dead, copy("file:a", to: "stdio:")) == [
                "error file-conflict: ingest \"read\" of 0.json reads file:a.dead-letters, where ingest \"read\" keeps what it refuses of file:a"
            ])
        let database = #", "db": { "url": "embedded:./a.sqlite" }"#
        #expect(
            found(copy("file:a", to: "file:a.sqlite", more: database)) == [
                "error file-conflict: file:a.sqlite is the database of the resource \"db\""
            ])
    }

    @Test("refuse an input as the file of what its topics do not take, and warn of an output")
    func deadLetterFiles() {
        func kept(in file: String) -> String {
            copy("file:a", to: "file:b").replacing(
                #""type": "ingest","#, with: #""type": "ingest", "dead_letter_file": "\#(file)","#)
        }
        #expect(
            found(kept(in: "./a")) == [
                "error file-conflict: ingest \"read\" writes to file:./a, which ingest \"read\" reads"
            ])
        #expect(
            found(kept(in: "./b")) == [
                "warning file-conflict: ingest \"read\" writes to file:./b, as publish \"write\" does"
            ])
        #expect(found(kept(in: "c")) == [])
    }

    @Test("refuse two readers of one stream, in one pipeline or in several")
    func streams() {
        #expect(
            found(copy("stdio:", to: "file:a"), copy("stdio://", to: "file:b", name: "other")) == [
                "error repeated-input: stdio:// is an input of 0.json already"
            ])
        #expect(
            found(
                copy("file:/dev/stdin", to: "file:a"), copy("stdio:", to: "file:b", name: "other"))
                == ["error repeated-input: stdio: is an input of 0.json already"])
        let twice = copy("stdio:", to: "stdio:", more: #", "again": { "url": "stdio://" }"#)
            .replacing(
                #"{ "resource": "in" }"#, with: #"{ "resource": "in" }, { "resource": "again" }"#)
        #expect(found(twice) == ["error repeated-input: \"again\" is an input already"])
    }

    @Test("warn of two writers of a file, and let the rest be")
    func sharedFiles() {
        #expect(
            found(copy("file:a", to: "file:c"), copy("file:b", to: "file:./c", name: "other")) == [
                "warning file-conflict: publish \"write\" writes to file:./c, as publish \"write\" of 0.json does"
            ])
        #expect(found(copy("stdio:", to: "stdio:")) == [])
        #expect(found(copy("file:/dev/null", to: "file:/dev/null")) == [])
        // Each keeps positions of its own.
        #expect(
            found(copy("file:a", to: "stdio:"), copy("file:a", to: "stdio:", name: "other")) == [])
    }

    @Test("take an embedded bus for one however its path is written")
    func embeddedBuses() {
        let disk = (
            #""other": { "url": "kafka://broker:9092" }"#,
            #""other": { "url": "embedded:./data/penstock.sqlite" }"#
        )
        #expect(
            codes(
                from: #"{ "resource": "disk", "topic": "requests" }"#,
                sink: #""to": "other", "topic": "requests""#, disk) == ["topic-loop"])
    }

    @Test(
        "take a server for one however its address is written",
        arguments: [
            "kafka://BROKER:9092", "kafka://broker", "kafka://broker:9092/", "KAFKA://broker:9092",
        ])
    func brokers(_ url: String) {
        let other = (
            #""other": { "url": "kafka://broker:9092" }"#, #""other": { "url": "\#(url)" }"#
        )
        #expect(codes(sink: #""to": "other", "topic": "requests""#, other) == ["topic-loop"])
    }

    @Test(
        "refuse two pipelines at one API however its address is written",
        arguments: ["grpc://localhost:50051", "grpc:127.0.0.1:50051", "GRPC://127.0.0.1:50051"])
    func apis(_ url: String) {
        let from = #"{ "resource": "api" }"#
        let one = Self.file.replacing("FROM", with: from)
            .replacing("TRIGGER", with: #"{ "max_age": "1h" }"#)
            .replacing("SINK", with: #""to": "bus", "topic": "ready""#)
        let other = one.replacing("\"reports\",", with: "\"others\",")
            .replacing("grpc://127.0.0.1:50051", with: url)
        #expect(found(one, other).contains { $0.hasPrefix("error repeated-input") })
    }

    @Test("want a store for the ledger, unless it is given up in so many words, and for counting")
    func stores() {
        let store = #""accumulate", "store": "store""#
        #expect(codes((store, #""accumulate""#)) == ["missing-store"])
        #expect(codes((store, #""accumulate", "durability": "none""#)) == ["worst-case-wait"])
        #expect(codes((store, store + #", "durability": "none""#)) == ["unused-setting"])
        let counting = #""conversion", "store": "store""#
        #expect(codes((counting, #""conversion""#)) == ["missing-store"])
        #expect(codes((counting, #""grpc://host:50052""#)) == ["worst-case-wait"])
    }

    @Test(
        "find rules that never fire, may keep a case for ever, or never decide anything",
        arguments: [
            (#"{ "count": 5 }"#, ["unbounded-wait"]), (#"{ "idle": "5m" }"#, ["unbounded-wait"]),
            (#"{ "manual": true }"#, ["unbounded-wait"]),
            (#"{ "all": [ { "count": 5 }, { "max_age": "1h" } ] }"#, ["unbounded-wait"]),
            (
                #"{ "any": [ { "count": 5 }, { "idle": "5m" }, { "manual": true } ] }"#,
                ["unbounded-wait"]
            ),
            (#"{ "any": [ { "count": 5 }, { "every": "1h" } ] }"#, ["worst-case-wait"]),
            (#"{ "cron": "0 6 * * *" }"#, ["sla-exceeded"]),
            (#"{ "cron": "0 6,18 * * *", "zone": "Europe/Berlin" }"#, ["worst-case-wait"]),
            (#"{ "cron": "0 0 30 2 *" }"#, ["invalid-value"]),
            (#"{ "any": [] }"#, ["invalid-value"]),
            (
                #"{ "any": [ { "count": 5 }, { "max_age": "2h" }, { "max_age": "1h" } ] }"#,
                ["worst-case-wait", "idle-rule"]
            ),
        ])
    func triggers(_ trigger: String, _ expected: [String]) {
        #expect(codes(trigger: trigger) == expected)
    }

    @Test("add up trigger, generation and one failed run, and hold that against the promise")
    func wait() {
        // 1h + 2.5s to look, 5m to run; after a failure 1m of lease and 5m more: 1h11m2.5s.
        #expect(codes(("\"24h\"", "\"1h11m3s\"")) == ["worst-case-wait"])
        #expect(codes(("\"24h\"", "\"1h11m2s\"")) == ["sla-exceeded"])
        let lease = (#""trigger": {"#, #""lease": "10m", "trigger": {"#)
        #expect(codes(("\"24h\"", "\"1h20m3s\""), lease) == ["worst-case-wait"])
        let timeout = (#""generator":"#, #""timeout": "1m", "generator":"#)
        #expect(codes(("\"24h\"", "\"1h3m3s\""), timeout) == ["worst-case-wait"])
        #expect(codes(("\"24h\"", "\"1h3m2s\""), timeout) == ["sla-exceeded"])
    }

    @Test("count on a deadline's margin to leave time for a run and a failed one")
    func margin() {
        #expect(codes(trigger: #"{ "deadline_margin": "5m" }"#) == ["sla-exceeded"])
        #expect(codes(trigger: #"{ "deadline_margin": "21m" }"#) == ["worst-case-wait"])
    }

    @Test(
        "know what connectors take, without connecting",
        arguments: [
            "kafka://", "kafka://broker:0", "kafka://a:9092/b", "postgres://db:x/penstock",
            "redis://",
            "redis://cache:99999", "rediss://", "memory:64", "memory:", "embedded:", "file:",
            "stdio:x", "grpc://", "grpc://127.0.0.1", "grpc://127.0.0.1:99999",
        ])
    func addresses(_ url: String) {
        let spare = (#""resources": {"#, #""resources": { "spare": { "url": "\#(url)" },"#)
        #expect(codes(spare) == ["invalid-address"])
    }

    @Test(
        "know which properties connectors have",
        arguments: [
            ("kafka://broker:9092", "linger.sm", ["invalid-address"]),
            ("kafka://b", "linger.ms", []),
            ("kafka://b", "group.id", ["invalid-address"]),
            ("postgres://db/x", "sslmod", ["invalid-address"]),
            ("postgres://db/x", "sslmode", ["invalid-address"]),
            ("postgres://db/x", "connect_timeout", []),
            ("redis://cache", "ttl", ["invalid-address"]),
            ("redis://cache", "connections", []), ("embedded:a", "x", ["invalid-address"]),
            ("memory:1MiB", "x", ["invalid-address"]),
            ("grpc://127.0.0.1:1", "x", ["invalid-address"]),
        ])
    func properties(_ url: String, _ name: String, _ expected: [String]) {
        let spare = (
            #""resources": {"#, #""resources": { "spare": { "url": "\#(url)", "\#(name)": "5" },"#
        )
        #expect(codes(spare).filter { $0 != "worst-case-wait" } == expected)
    }
}
