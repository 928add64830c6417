import ConfigurationFields
import LocatedJSON
import ConfigurationDiagnostics
import PipelineConfiguration
import PipelineCore
import Testing

@Suite("Pipelines that run together")
struct PipelineSetTests {
    private func pipeline(
        _ name: String, reads: String, writes: String, bus: String = "kafka://a"
    ) throws -> PipelineDefinition {
        let text = """
            {"version": 1, "name": "\(name)", "resources": {"bus": {"url": "\(bus)"}}, "stages": [
              {"id": "in", "type": "ingest", "codec": "raw",
               "from": [{"resource": "bus", "topic": "\(reads)"}]},
              {"id": "out", "type": "publish", "to": "bus", "topic": "\(writes)"}]}
            """
        let reading = PipelineReader(catalogue: SampleStages.catalogue, environment: .empty)
            .read(Array(text.utf8), file: "\(name)-\(reads).json")
        return try #require(reading.definition, "\(reading.diagnostics)")
    }

    @Test("may hand on to each other")
    func chain() throws {
        let set = [
            try pipeline("a", reads: "1", writes: "2"), try pipeline("b", reads: "2", writes: "3"),
            try pipeline("c", reads: "3", writes: "1", bus: "kafka://other"),
        ]
        #expect(PipelineSetCheck(set).run().list.isEmpty)
    }

    @Test("have names of their own")
    func names() throws {
        let set = [
            try pipeline("a", reads: "1", writes: "2"), try pipeline("a", reads: "3", writes: "4"),
        ]
        #expect(
            PipelineSetCheck(set).run().description
                == "a-3.json:1:24: error[duplicate-name] $.name: the name \"a\" is taken by a-1.json; a pipeline's name owns its consumer groups and its ledger"
        )
    }

    @Test("are found whole when they are read together, and refused by what they are together")
    func together() throws {
        let reader = PipelineReader(catalogue: SampleStages.catalogue, environment: .empty)
        let sample = try GoldenFile.bytes("sample.json")
        let other = Array(
            String(decoding: sample, as: UTF8.self)
                .replacing("\"conversion-reports\"", with: "\"others\"").utf8)
        let readings = reader.read(together: [("a.json", sample), ("b.json", other)])
        #expect(readings[0].definition != nil)
        #expect(readings[1].definition == nil)
        let found = readings[1].diagnostics.list.filter { $0.severity == .error }
        #expect(found.map(\.code) == [.repeatedInput])
        #expect(found.first?.file == "b.json")
        #expect(found.first?.message.contains("is an input of a.json already") == true)
    }

    @Test("are warned of when records go round in a circle")
    func circle() throws {
        let set = [
            try pipeline("a", reads: "1", writes: "2"), try pipeline("b", reads: "2", writes: "3"),
            try pipeline("c", reads: "3", writes: "1"), try pipeline("d", reads: "3", writes: "9"),
        ]
        let problems = PipelineSetCheck(set).run()
        #expect(problems.list.map(\.code) == [.topicCycle, .topicCycle, .topicCycle])
        #expect(!problems.hasErrors)
        #expect(problems.list.first?.path?.description == "$.stages[1]")
    }
}
