import ConfigurationFields
import DryRun
import DryRunRendering
import DryRunReport
import PipelineConfiguration
import PipelineCore
import PipelineTesting
import StandardCatalogue
import Testing

/// A transform of somebody else.
private struct ThinStage: StagePlugin {
    static let type = "thin"
    static let role = StageRole.transform
    static let summary = "Hands on the first record of each chunk."
    static let guarantee = "None."
    static let remarks = StageRemarks(kept: .others("thinned out"))

    init(_ field: Fields) {}
    func contract(in catalogue: Catalogue) -> StageContract {
        StageContract { $0.map { .yields($0) } ?? .refuses("a thin stands behind an ingest") }
    }
    func build(_ context: StageContext) throws -> StageInstance { .transform(ScriptedThinning()) }

    struct ScriptedThinning: Transform {
        func process(_ chunk: Chunk) async throws -> Chunk {
            var chunk = chunk
            chunk.records = Array(chunk.records.prefix(1))
            return chunk
        }
    }
}

/// A worker of somebody else, which asks no generator of the catalogue.
private struct AnswerStage: StagePlugin {
    static let type = "answer"
    static let role = StageRole.worker
    static let summary = "Answers from elsewhere."
    static let guarantee = "None."

    init(_ field: Fields) {}
    func contract(in catalogue: Catalogue) -> StageContract {
        StageContract { $0 == .batches ? .yields(.outcomes) : .refuses("an answer takes batches") }
    }
    func build(_ context: StageContext) throws -> StageInstance {
        .worker(ScriptedRemoteGenerator())
    }

    struct ScriptedRemoteGenerator: Generator {
        func generate(_ batch: Batch) async throws -> GeneratedBatch {
            throw PipelineError.fatal("asked", "a rehearsal has asked the world outside")
        }
    }
}

/// A sink of somebody else, with words of its own.
private struct ShoutStage: StagePlugin {
    static let type = "shout"
    static let role = StageRole.sink
    static let summary = "Says outcomes aloud."
    static let guarantee = "None."
    static let remarks = StageRemarks(delivered: "shouted")

    init(_ field: Fields) {}
    func contract(in catalogue: Catalogue) -> StageContract {
        StageContract { $0 == .outcomes ? .yields(.outcomes) : .refuses("a shout takes outcomes") }
    }
    func build(_ context: StageContext) throws -> StageInstance {
        .outcomeSink(ScriptedAnnouncer())
    }

    struct ScriptedAnnouncer: OutcomeSink {
        func deliver(_ batch: OutcomeBatch) async throws -> [OutcomeRefusal] { [] }
    }
}

@Suite("A dry run of stages of somebody else")
struct ForeignStageTests {
    private static let file = """
        { "version": 1, "name": "foreign", "sla": "24h",
          "resources": { "db": { "url": "embedded:no/such/file" } },
          "stages": [
            { "id": "in", "type": "ingest", "codec": "report-request",
              "from": [ { "resource": "db", "topic": "requests", "create": {} } ] },
            { "id": "some", "type": "thin" },
            { "id": "batch", "type": "accumulate", "store": "db", "trigger": { "max_age": "1h" } },
            { "id": "reports", "type": "answer" },
            { "id": "out", "type": "shout" } ] }
        """

    private func report() async throws -> DryRunReport {
        var checklist = Checklist()
        checklist.foreign = [ThinStage.self, AnswerStage.self, ShoutStage.self]
        checklist.simulate = { definition, _, catalogue in
            try PipelineRehearsal(
                definition, catalogue: catalogue,
                trace: try Rehearsal.trace("burst 4 at 1h", "burst 2 at 3h"), cost: .usual
            ).run()
        }
        return try await checklist.report(on: Self.file)
    }

    @Test("counts their records, and says of them what they say themselves")
    func remarks() async throws {
        let report = try await report()
        let text = report.text()
        let lines = text.split(separator: "\n").map(String.init)
        #expect(text.contains("ok    5 stages: ingest → thin → accumulate → answer → shout"))
        for row in [
            "some     thin               6       2  4 thinned out",
            "reports  answer             2       2",
            "out      shout              2       2  2 shouted",
        ] {
            #expect(lines.contains("  \(row)"), "\(row) is not in\n\(text)")
        }
        #expect(report.html().contains("<td>2 shouted</td>"))
    }

    @Test("has their workers' answers made up, as it has a generator's, and asks them nothing")
    func worker() async throws {
        let simulation = try #require(try await report().simulation)
        #expect(simulation.expectsAnswers && simulation.hasBarrier)
        #expect(simulation.batches.map(\.cases.count) == [1, 1])
        #expect(simulation.waits.count == 2)
        #expect(simulation.generation?.runs == 2)
    }
}
