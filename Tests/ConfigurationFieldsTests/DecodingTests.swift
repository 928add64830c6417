import ConfigurationDiagnostics
import ConfigurationFields
import LocatedJSON
import Testing

@Suite("Decoding settings from a document")
struct DecodingTests {
    @Test("reads every type, nested objects, lists and custom values")
    func everything() throws {
        let sample = try Sample.decode(
            JSON(
                parsing: """
                    {"topic": "orders", "brokers": ["a:1", "b:2"], "max_batch": 7, "ratio": 0.5,
                     "wait": "2s", "start": "latest", "buffer": "64MiB", "strict": true,
                     "retry": {"attempts": 9}, "from": [{"resource": "bus"}, {"resource": "api"}],
                     "trigger": {"any": [{"count": 512}, {"all": [{"max_age": "12h"}, {"count": 1}]}]}}
                    """))
        #expect(sample.topic == "orders")
        #expect(sample.brokers == ["a:1", "b:2"])
        #expect(sample.maxBatch == 7)
        #expect(sample.ratio == 0.5)
        #expect(sample.wait == .seconds(2))
        #expect(sample.start == .latest)
        #expect(sample.buffer == .mebibytes(64))
        #expect(sample.strict)
        #expect(sample.retry.attempts == 9)
        #expect(sample.from.map(\.resource) == ["bus", "api"])
        #expect(
            sample.trigger == .any([.count(512), .all([.maxAge(.seconds(43_200)), .count(1)])]))
    }

    @Test("fills in defaults")
    func defaults() throws {
        let sample = try Sample.decode(["topic": "a", "from": [["resource": "b"]]])
        #expect(sample.maxBatch == 500)
        #expect(sample.ratio == nil)
        #expect(sample.retry.attempts == 3)
        #expect(sample.trigger == .count(512))
    }

    @Test("reports everything that is wrong at once, each at its place")
    func problems() throws {
        let text = """
            {
              "topc": "orders",
              "brokers": ["a:1", 7],
              "max_batch": 0,
              "wait": 5,
              "start": "newest",
              "buffer": "64 elephants",
              "strict": "yes",
              "retry": { "attempts": 1.5, "retries": 2 },
              "from": [ {}, { "resource": "bus", "resurce": 1 } ],
              "trigger": { "any": [ { "cuont": 512 }, { "count": 1, "max_age": "1h" }, {} ] }
            }
            """
        let problems = try #require(self.problems(of: text))
        #expect(
            problems.located(in: "a.json").description == """
                a.json:1:1: error[missing-key] $: the key "topic" is missing; expected text, for example orders
                a.json:2:3: error[unknown-key] $.topc: unknown key "topc"; did you mean "topic"? (valid: brokers, buffer, from, max_batch, password, ratio, retry, start, strict, topic, trigger, wait)
                a.json:3:22: error[wrong-type] $.brokers[1]: expected text, found number
                a.json:4:16: error[out-of-range] $.max_batch: 0 lies outside 1 to 10000
                a.json:5:11: error[wrong-type] $.wait: expected duration, found number; write 5s, 5m or 5h
                a.json:6:12: error[invalid-value] $.start: "newest" is not one of earliest, latest
                a.json:7:13: error[wrong-type] $.buffer: "64 elephants" has an unknown unit "elephants"; units: B, KiB, MiB, GiB, TiB, kB, MB, GB, TB
                a.json:8:13: error[wrong-type] $.strict: expected true or false, found text
                a.json:9:26: error[wrong-type] $.retry.attempts: 1.5 is not a whole number
                a.json:9:31: error[unknown-key] $.retry.retries: unknown key "retries"; valid: attempts
                a.json:10:13: error[missing-key] $.from[0]: the key "resource" is missing; expected text, for example bus
                a.json:10:38: error[unknown-key] $.from[1].resurce: unknown key "resurce"; did you mean "resource"? (valid: resource)
                a.json:11:27: error[unknown-key] $.trigger.any[0].cuont: unknown key "cuont"; did you mean "count"? (valid: all, any, count, max_age)
                a.json:11:43: error[invalid-value] $.trigger.any[1]: a trigger has 2 keys, not one; valid: any, all, count, max_age
                a.json:11:76: error[invalid-value] $.trigger.any[2]: a trigger is empty; valid: any, all, count, max_age
                """)
    }

    @Test("refuses a document, an object or a list that is something else")
    func wrongShapes() throws {
        #expect(problems(of: "[]")?.list.first?.code == .wrongType)
        let problems = try #require(
            self.problems(
                of: #"{"topic": null, "from": {}, "retry": [], "trigger": 5, "brokers": "a"}"#)
        )
        #expect(problems.list.map(\.code) == Array(repeating: .wrongType, count: 5))
        #expect(self.problems(of: #"{"topic": "a", "from": []}"#)?.list.first?.code == .outOfRange)
    }

    @Test("asks for consistency only when every value is right")
    func consistency() throws {
        let both = #"{"topic": "a", "from": [{"resource": "b"}], "max_batch": 5, "wait": "1h"}"#
        #expect(
            problems(of: both)?.description
                == "1:69: error[invalid-value] $.wait: a batch of less than 10 must not wait an hour"
        )
        let wrong = #"{"topic": 5, "from": [{"resource": "b"}], "max_batch": 5, "wait": "1h"}"#
        #expect(problems(of: wrong)?.list.map(\.code) == [.wrongType])
    }

    @Test("records every setting with its origin")
    func records() throws {
        let context = DecodingContext(environment: Environment(variables: ["T": "x"]))
        let json = try JSON(
            parsing: #"{"topic": {"$env": "T"}, "from": [{"resource": "b"}], "password": "geheim"}"#
        )
        _ = try #require(context.decode(settings: Sample.self, from: json))
        let settings = Dictionary(
            context.settings.map { ($0.path.description, $0) },
            uniquingKeysWith: { first, _ in first })
        #expect(settings["$.topic"]?.origin == .environment("T"))
        #expect(settings["$.max_batch"]?.origin == .fallback)
        #expect(settings["$.from[0].resource"]?.text == "b")
        #expect(settings["$.from[0].resource"]?.position?.column == 48)
        #expect(settings["$.password"]?.shown == "(secret)")
    }

    @Test("passes on every key that nobody reads, as text")
    func properties() throws {
        struct Bus: Settings {
            static let summary = "A bus."
            let url: String
            let rest: [String: String]
            init(_ field: Fields) {
                url = field("url", "Where it is.", example: "kafka://a:1")
                rest = field.properties("Passed on.", example: ["security.protocol": "ssl"])
            }
        }
        let bus = try Bus.decode(
            ["url": "kafka://a", "security.protocol": "ssl", "retries": 5, "fast": true])
        #expect(bus.rest == ["security.protocol": "ssl", "retries": "5", "fast": "true"])
        // Those in an object are named with its key.
        let nested = try Bus.decode(["url": "a", "ssl": ["ca": "x", "depth": 2], "ssl.key": "y"])
        #expect(nested.rest == ["ssl.ca": "x", "ssl.depth": "2", "ssl.key": "y"])
        #expect(throws: Diagnostics.self) { try Bus.decode(["url": "a", "x": ["y": ["z": 1]]]) }
        #expect(throws: Diagnostics.self) { try Bus.decode(["url": "a", "x": ["y": 1], "x.y": 2]) }
        let lists = try Bus.decode(["url": "a", "hosts": ["b", 7], "none": []])
        #expect(lists.rest == ["hosts[0]": "b", "hosts[1]": "7", "none[]": ""])
        #expect(throws: Diagnostics.self) { try Bus.decode(["url": "a", "x": [[1]]]) }

        let context = DecodingContext(environment: Environment(variables: ["P": "geheim"]))
        _ = context.decode(
            settings: Bus.self,
            from: [
                "url": "a", "sasl.password": "geheim", "sasl.username": ["$env": "P"],
                "keys": [["$env": "P"], "b"], "secrets": ["geheim"],
            ])
        #expect(
            context.settings.map(\.shown) == [
                "a", "(secret)", "(secret)", "(secret)", "b", "(secret)",
            ])
    }

    private func problems(of text: String) -> Diagnostics? {
        guard let json = try? JSON(parsing: text) else { return nil }
        do {
            _ = try Sample.decode(json)
            return nil
        } catch {
            return error
        }
    }
}
