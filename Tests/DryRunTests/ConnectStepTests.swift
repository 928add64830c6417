import Concurrency
import DryRunReport
import PipelineCore
import PipelineTesting
import Testing

@Suite("Connecting in a dry run", .timeLimit(.minutes(1)))
struct ConnectStepTests {
    private func connect(_ checklist: Checklist, _ file: String = "conversion-reports.json")
        async throws -> [DryRunCheck]
    {
        try await checklist.report(on: try Rehearsal.text(file)).checks
            .filter { $0.step == .connect }
    }

    @Test("asks an address once, whatever it is called, for all that is needed of it")
    func sharedAddress() async throws {
        let asked = Journal<[ResourceNeed]>()
        var checklist = Checklist()
        checklist.backends["embedded"] = { needs in
            asked.note(needs)
            return [ResourceFinding(.ok, "is there")]
        }
        let entries = try await connect(checklist)
        #expect(entries[0].subject == "bus, store")
        #expect(entries[0].detail == "embedded:data/penstock.sqlite: is there")
        #expect(asked.entries.count == 1)
        #expect(
            asked.entries.first?.map(\.subject) == [
                "topic report-requests", "topic report-requests.dead-letters", "ledger of batch",
                "generator conversion", "topic report-ready",
            ])
    }

    @Test("closes what it has opened, also what could not be used")
    func closes() async throws {
        var checklist = Checklist(variables: Checklist.servers)
        checklist.backends["redis"] = { _ in throw PipelineError.fatal("no", "no") }
        _ = try await connect(checklist)
        #expect(checklist.openings.entries.count == 4)
        #expect(Set(checklist.closings.entries) == Set(checklist.openings.entries))
    }

    @Test("asks side by side: each waits until all have been asked")
    func parallel() async throws {
        let (asked, all) = (Journal<Void>(), AsyncEvent())
        let meet: @Sendable ([ResourceNeed]) async throws -> [ResourceFinding] = { _ in
            asked.note(())
            if asked.entries.count == 3 { all.set() }
            try await all.wait()
            return [ResourceFinding(.ok, "met")]
        }
        var checklist = Checklist(variables: Checklist.servers)
        checklist.backends = ["kafka": meet, "postgres": meet, "redis": meet]
        let entries = try await connect(checklist)
        #expect(entries.count { $0.detail.hasSuffix("met") } == 3)
    }

    @Test("gives up one that neither answers nor can be cancelled, and tells of the others")
    func timesOut() async throws {
        let never = AsyncEvent()
        var checklist = Checklist(variables: Checklist.servers)
        checklist.timeout = .milliseconds(20)
        checklist.backends["kafka"] = { _ in
            await withoutCancellation { try? await never.wait() }
            return []
        }
        let entries = try await connect(checklist)
        #expect(entries[0].detail == "kafka://***@broker:9092: no answer within 20ms")
        #expect(entries[0].isUnreachable)
        #expect(
            entries.filter { $0.status == .skip }.map(\.subject) == [
                "bus: topic report-requests", "bus: topic report-requests.dead-letters",
                "bus: topic report-ready",
            ])
        #expect(entries.contains { $0.subject == "cache" && $0.status == .ok })
        never.set()
    }

    @Test("asks a generator elsewhere, and then needs no tables for it")
    func generator() async throws {
        var checklist = Checklist(variables: Checklist.servers)
        checklist.variables["PENSTOCK_GENERATOR"] = "grpc://127.0.0.1:50052"
        checklist.generator = { _, _ in
            [ResourceFinding("generator 127.0.0.1:50052", .ok, "is serving")]
        }
        let entries = try await connect(checklist)
        #expect(entries.contains { $0.subject == "reports: generator 127.0.0.1:50052" })
        #expect(!entries.contains { $0.subject == "store: generator conversion" })
    }

    @Test("needs tables for events that are written to a store")
    func events() async throws {
        let entries = try await connect(
            Checklist(variables: Checklist.servers), "conversion-events.json")
        #expect(
            entries.map(\.subject) == [
                "bus", "bus: topic conversion-events", "bus: topic conversion-events.dead-letters",
                "store", "store: writing",
            ])
    }
}
