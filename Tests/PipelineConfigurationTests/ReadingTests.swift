import LocatedJSON
import ConfigurationDiagnostics
import ConfigurationFields
import PipelineConfiguration
import PipelineCore
import Testing

@Suite("Reading a pipeline file")
struct ReadingTests {
    func read(_ text: String, _ environment: Environment = .empty) -> PipelineReading {
        PipelineReader(catalogue: SampleStages.catalogue, environment: environment)
            .read(Array(text.utf8), file: "a.json")
    }

    func sample() throws -> String {
        String(decoding: try GoldenFile.bytes("sample.json"), as: UTF8.self)
    }

    @Test("says of every golden file what stands beside it", arguments: GoldenFile.pipelines)
    func golden(name: String) throws {
        let reading = PipelineReader(catalogue: SampleStages.catalogue, environment: .empty)
            .read(try GoldenFile.bytes(name), file: name)
        let text = reading.diagnostics.rendered(as: .text, source: reading.source)
        try GoldenFile.expect(text, toBe: String(name.dropLast(5)) + ".txt")
    }

    @Test("yields the chain with its settings, defaults and contracts")
    func definition() throws {
        let pipeline = try #require(read(sample()).definition)
        #expect(pipeline.name == "conversion-reports")
        #expect(pipeline.sla == .hours(24))
        #expect(
            pipeline.stages.map(\.id)
                == ["requests", "unique", "batch", "reports", "ready", "answers"])
        #expect(
            pipeline.stages.map(\.role) == [.source, .transform, .barrier, .worker, .sink, .sink])
        let batch = try #require(pipeline.stage("batch")?.settings as? Accumulate)
        #expect(batch.trigger.compactMap(\.count) == [512])
        #expect(batch.trigger.compactMap(\.maxAge) == [.hours(12)])
        #expect(pipeline.resource("bus")?.kinds == [.bus, .store])
        #expect(pipeline.resource("cache")?.address.url == "memory:64MiB")
        #expect(pipeline.stage("batch")?.position?.line == 16)
    }

    @Test("takes what the environment says, in the unit beside it")
    func environment() throws {
        let environment = Environment(variables: [
            "PENSTOCK_BUS": "kafka://k:9092", "MESSAGE_LIMIT_PER_CONSUMER": "64",
            "BATCH_CONSUMER_HOURS_INTERVAL": "0.5",
        ])
        let pipeline = try #require(read(sample(), environment).definition)
        let batch = try #require(pipeline.stage("batch")?.settings as? Accumulate)
        #expect(batch.trigger.compactMap(\.count) == [64])
        #expect(batch.trigger.compactMap(\.maxAge) == [.minutes(30)])
        #expect(pipeline.resource("bus")?.address.scheme == "kafka")
    }

    @Test("refuses what the environment says when it will not do, and names the variable")
    func wrongEnvironment() throws {
        let environment = Environment(variables: [
            "MESSAGE_LIMIT_PER_CONSUMER": "0", "BATCH_CONSUMER_HOURS_INTERVAL": "soon",
            "PENSTOCK_STORE": "redis://app:geheim@r",
        ])
        let reading = read(try sample(), environment)
        #expect(reading.definition == nil)
        #expect(
            reading.diagnostics.description == """
                a.json:18:22: error[out-of-range] $.stages[2].trigger[0].count: "0" from the environment variable MESSAGE_LIMIT_PER_CONSUMER is less than 1
                a.json:19:22: error[wrong-type] $.stages[2].trigger[1].max_age: "soon" from the environment variable BATCH_CONSUMER_HOURS_INTERVAL is not a duration; write a number and its unit: 500ms, 10s, 5m, 12h, 7d
                a.json:21:81: error[wrong-resource] $.stages[3].store: the resource "store" (redis) can be used as cache, not as store; these can: "bus"
                """)
    }

    @Test(
        "finds nothing wrong with a file whose variables are only missing here, but will not run it"
    )
    func elsewhere() throws {
        let text = try sample().replacing(#""default": "embedded:data/penstock.sqlite""#, with: "")
            .replacing(#""PENSTOCK_BUS",     }"#, with: #""PENSTOCK_BUS" }"#)
            .replacing(#""PENSTOCK_STORE",   }"#, with: #""PENSTOCK_STORE" }"#)
        let there = read(text, Environment(missing: .warning))
        #expect(there.isValid)
        #expect(there.definition == nil)
        #expect(there.diagnostics.list.map(\.code) == [.unknownEnvironment, .unknownEnvironment])
        let here = read(text)
        #expect(!here.isValid)
        #expect(here.diagnostics.list.map(\.code) == [.unknownEnvironment, .unknownEnvironment])
        let variables = ["PENSTOCK_BUS": "kafka://a", "PENSTOCK_STORE": "postgres://b"]
        #expect(read(text, Environment(variables: variables)).definition != nil)
    }

    @Test("passes a connector's properties through and never shows credentials")
    func properties() throws {
        let text = try sample().replacing(
            #""bus":   { "url": "#,
            with: #""bus": { "security.protocol": "ssl", "sasl.password": {"$env": "P"}, "url": "#)
        let environment = Environment(variables: [
            "P": "geheim", "PENSTOCK_BUS": "kafka://app:geheim@k:9092",
        ])
        let pipeline = try #require(read(text, environment).definition)
        #expect(
            pipeline.resource("bus")?.address.properties
                == ["security.protocol": "ssl", "sasl.password": "geheim"])
        #expect(!pipeline.settings.map(\.shown).joined().contains("geheim"))
        #expect(pipeline.settings.contains { $0.shown == "kafka://***@k:9092" })
    }
}
