import Batching
import Ledger
import PipelineCore
import PipelineTesting
import PostgresLedger
import SQLite
import SQLiteLedger
import Testing

/// What both stores do with names.
@Suite("Names in a ledger", .timeLimit(.minutes(2)))
struct StateNamesTests {
    enum Kind: String, CaseIterable { case postgres, sqlite }
    typealias Provider = LedgerProvider & StateAdministration

    private func with(
        _ kind: Kind, _ body: (any Provider) async throws -> Void
    ) async throws {
        switch kind {
        case .postgres:
            try await PostgresTestDatabase.withLedgers { try await body($1) }
        case .sqlite:
            let provider = SQLiteLedgerProvider(database: .inMemory(), clock: .system)
            try await provider.migrateLedger()
            try await body(provider)
        }
    }

    /// A stage whose batches are sealed at once, with `sinks` behind it, in a file with `owners`.
    private func ledger(
        _ provider: any Provider, _ pipeline: String, _ stage: String = "batch",
        sinks: Set<String> = ["ready"], inputs: Set<String> = ["requests"],
        owners: [StateOwner] = []
    ) throws -> any Ledger {
        let own = StateOwner(pipeline: pipeline, stage: stage, sinks: sinks, inputs: inputs)
        return try provider.ledger(
            for: LedgerStage(
                pipeline: pipeline, stage: stage,
                rule: BatchingRule(trigger: .count(2), maxBatch: 2, minInterval: .zero),
                ruleText: "count 2", revision: nil, sla: .hours(24), owners: [own] + owners))
    }

    private func accept(_ ledger: any Ledger, _ numbers: ClosedRange<UInt64>) async throws {
        var submissions = Submissions()
        for number in numbers {
            submissions.append(
                id: UUID(high: 1, low: number), digest: Digest(high: 0, low: number),
                deadline: nil, parameters: [1])
        }
        _ = try await ledger.accept(submissions)
    }

    private func state(_ ledger: any Ledger, _ number: UInt64) async throws -> CaseState? {
        let id = UUID(high: 1, low: number)
        return try await ledger.snapshots(of: [id])[id]?.state
    }

    private func refusal(_ body: () async throws -> Void) async -> PipelineError? {
        do {
            try await body()
            return nil
        } catch { return error as? PipelineError }
    }

    /// Two cases delivered to nobody yet, two in an open batch, one waiting.
    private func fill(_ ledger: any Ledger, sinks: [String] = ["ready"]) async throws {
        _ = try await ledger.positions(of: "requests", initial: [0: 7])
        try await accept(ledger, 1...5)
        while try await !ledger.seal().sealed.isEmpty {}
        let batch = try #require(try await ledger.claim(worker: "w", lease: .seconds(60)))
        _ = try await ledger.commit(
            BatchCommit(
                batch: batch.number, token: batch.token, cases: batch.cases.map(\.number),
                outcomeIDs: batch.cases.map { UUID(high: 9, low: UInt64($0.number)) },
                results: batch.cases.map { _ in .report([1]) },
                dataAsOf: Timestamp(microseconds: 0), sinks: sinks, took: .zero))
    }

    @Test(
        "A pipeline of another name is refused, and goes on where the old one was",
        arguments: Kind.allCases)
    func renamedPipeline(_ kind: Kind) async throws {
        try await with(kind) { provider in
            let old = try ledger(provider, "p")
            try await old.register()
            try await fill(old)
            let new = try ledger(provider, "q")
            let error = await refusal { try await new.register() }
            #expect(error?.code == "state-unowned")
            #expect(error?.disposition == .fatal)
            #expect(
                error?.message.contains(
                    "1 waiting case, 1 open batch, 1 batch not delivered to ready of p/batch")
                    == true)
            let moved = try await provider.rename(.init(pipeline: "p"), to: .init(pipeline: "q"))
            #expect(
                moved == [
                    "p/batch is q/batch now (1 waiting case, 1 open batch, 1 batch not delivered to ready)"
                ])
            #expect(
                try await provider.rename(.init(pipeline: "p"), to: .init(pipeline: "q")).isEmpty)
            try await new.register()
            #expect(try await state(new, 1) == .succeeded)
            #expect(try await state(new, 5) == .pending)
            #expect(try await new.positions(of: "requests", initial: [0: 0]) == [0: 7])
            // Whoever still works under the old name has lost nothing.
            try await accept(old, 6...6)
            #expect(try await state(new, 6) != nil)
        }
    }

    @Test(
        "A name with state of its own takes over nothing; an empty one makes room",
        arguments: Kind.allCases)
    func taken(_ kind: Kind) async throws {
        try await with(kind) { provider in
            let old = try ledger(provider, "p")
            try await old.register()
            try await fill(old)
            let new = try ledger(provider, "q", inputs: ["others"])
            // It may be another process's; if it is not, whoever starts this one has to know.
            let elsewhere = try await new.register()
            #expect(elsewhere.map(\.name) == ["p/batch"])
            #expect(
                elsewhere.map(\.openWork) == [
                    "1 waiting case, 1 open batch, 1 batch not delivered to ready"
                ])
            _ = try await provider.rename(
                .init(pipeline: "p", part: "batch"), to: .init(pipeline: "q", part: "batch"))
            // It knows the row by its number, which is p's now.
            try await accept(new, 10...10)
            let error = await refusal {
                _ = try await provider.rename(
                    .init(pipeline: "q", part: "batch"), to: .init(pipeline: "p", part: "batch"))
            }
            #expect(error?.code == "state-owned")
            #expect(error?.message.contains("1 waiting case") == true)
        }
    }

    @Test("A stage that its pipeline's file lacks is refused, and moved", arguments: Kind.allCases)
    func renamedStage(_ kind: Kind) async throws {
        try await with(kind) { provider in
            let old = try ledger(provider, "p")
            try await old.register()
            try await fill(old)
            let new = try ledger(provider, "p", "collect", inputs: ["others"])
            #expect(await refusal { try await new.register() }?.code == "state-unowned")
            _ = try await provider.rename(
                .init(pipeline: "p", part: "batch"), to: .init(pipeline: "p", part: "collect"))
            try await new.register()
            #expect(try await state(new, 5) == .pending)
        }
    }

    @Test(
        "A sink of another name is refused, and gets what the old one has not",
        arguments: Kind.allCases)
    func renamedSink(_ kind: Kind) async throws {
        try await with(kind) { provider in
            let old = try ledger(provider, "p")
            try await old.register()
            try await fill(old)
            let new = try ledger(provider, "p", sinks: ["announce"])
            #expect(await refusal { try await new.register() }?.code == "state-unowned")
            let moved = try await provider.rename(
                .init(pipeline: "p", part: "ready"), to: .init(pipeline: "p", part: "announce"))
            #expect(moved == ["p/batch: 1 batch not delivered to ready will go to announce"])
            try await new.register()
            let delivery = try await new.claimDelivery(
                sink: "announce", worker: "w", lease: .seconds(60))
            #expect(delivery?.outcomes.count == 2)
        }
    }

    @Test(
        "What is abandoned ends as cancelled, after it was only counted", arguments: Kind.allCases)
    func abandoned(_ kind: Kind) async throws {
        try await with(kind) { provider in
            let old = try ledger(provider, "p")
            try await old.register()
            try await fill(old)
            let running = try #require(try await old.claim(worker: "w", lease: .seconds(60)))
            let name = StateName(pipeline: "p", part: "batch")
            for isTrial in [true, false] {
                #expect(try await state(old, 5) == .pending)
                #expect(
                    try await provider.abandon(name, reason: "given up", isTrial: isTrial) == [
                        "p/batch: 1 waiting case, 1 open batch, 1 batch not delivered to ready"
                    ])
            }
            #expect(try await provider.abandon(name, reason: "", isTrial: false).isEmpty)
            #expect(try await state(old, 1) == .succeeded)
            for number in UInt64(3)...5 { #expect(try await state(old, number) == .cancelled) }
            let id = UUID(high: 1, low: 4)
            let outcome = try await old.snapshots(of: [id])[id]?.outcome
            #expect(outcome?.reason == "given up")
            // Whoever generates one of them comes too late.
            let error = await refusal {
                try await old.extend(
                    batch: running.number, token: running.token, lease: .seconds(60))
            }
            #expect(error?.code == "lease-lost")
            #expect(try await old.isIdle())
            try await ledger(provider, "q").register()
        }
    }

    @Test("A sink that is abandoned lets its batches end", arguments: Kind.allCases)
    func abandonedSink(_ kind: Kind) async throws {
        try await with(kind) { provider in
            let old = try ledger(provider, "p", sinks: ["ready", "copy"])
            try await old.register()
            try await fill(old, sinks: ["ready", "copy"])
            let ended = try await provider.abandon(
                .init(pipeline: "p", part: "copy"), reason: "given up", isTrial: false)
            #expect(ended == ["p/batch: 1 batch not delivered to copy"])
            try await ledger(provider, "p").register()
            #expect(
                try await old.claimDelivery(sink: "copy", worker: "w", lease: .seconds(60)) == nil)
            let delivery = try #require(
                try await old.claimDelivery(sink: "ready", worker: "w", lease: .seconds(60)))
            try await old.delivered(batch: delivery.number, sink: "ready", token: delivery.token)
            let future = Timestamp(microseconds: 4_000_000_000_000_000)
            #expect(try await old.purge(finishedBefore: future) == 2)
        }
    }

    @Test(
        "What a stage has read is not read again under another name, unless it is forgotten",
        arguments: Kind.allCases)
    func nothingOpen(_ kind: Kind) async throws {
        try await with(kind) { provider in
            let old = try ledger(provider, "p")
            try await old.register()
            _ = try await old.positions(of: "requests", initial: [0: 7])
            for (pipeline, stage) in [("p", "collect"), ("q", "batch")] {
                let new = try ledger(provider, pipeline, stage)
                let error = await refusal { try await new.register() }
                #expect(error?.code == "state-unowned")
                #expect(error?.message.contains("positions in requests") == true)
                try await ledger(provider, pipeline, "other-\(stage)", inputs: ["others"])
                    .register()
            }
            let moved = try await provider.rename(
                .init(pipeline: "p", part: "batch"), to: .init(pipeline: "p", part: "collect"))
            #expect(moved == ["p/batch is p/collect now"])
            let renamed = try ledger(provider, "p", "collect")
            try await renamed.register()
            #expect(try await renamed.positions(of: "requests", initial: [0: 0]) == [0: 7])

            let name = StateName(pipeline: "p", part: "collect")
            let own = StateOwner(pipeline: "p", stage: "collect")
            #expect(
                try await provider.abandon(
                    name, besides: [own], reason: "given up", isTrial: false
                ).isEmpty)
            let begun = try ledger(provider, "p", "anew")
            for isTrial in [true, false] {
                #expect(await refusal { try await begun.register() } != nil)
                #expect(
                    try await provider.abandon(name, reason: "given up", isTrial: isTrial) == [
                        "p/collect: the memory of what it has read and answered"
                    ])
            }
            #expect(
                try await provider.abandon(name, reason: "given up", isTrial: false).isEmpty)
            try await begun.register()
            #expect(try await begun.positions(of: "requests", initial: [0: 0]) == [0: 0])
        }
    }

    @Test("A pause goes along with its name, whatever waits behind it", arguments: Kind.allCases)
    func renamedPauses(_ kind: Kind) async throws {
        try await with(kind) { provider in
            let old = try ledger(provider, "p")
            try await old.register()
            try await old.pause([.intake("in"), .sealing, .delivery("ready")], reason: "by ada")
            try await old.pause([.delivery("announce")], reason: "by bob")
            let since = try await old.pauses()
            for (part, new) in [("ready", "announce"), ("in", "orders")] {
                let moved = try await provider.rename(
                    .init(pipeline: "p", part: part), to: .init(pipeline: "p", part: new))
                #expect(moved.count == 1)
                #expect(moved.first?.contains("is paused") == true, "\(moved)")
            }
            // Under a name that was made anew, and paused, before anybody thought of the renaming.
            let new = try ledger(provider, "q", inputs: ["others"])
            try await new.register()
            try await new.pause([.generation], reason: "by eve")
            let moved = try await provider.rename(.init(pipeline: "p"), to: .init(pipeline: "q"))
            #expect(moved.count == 1)
            let pauses = try await ledger(provider, "q").pauses()
            #expect(
                pauses.mapValues(\.reason) == [
                    .intake("orders"): "by ada", .sealing: "by ada",
                    .delivery("announce"): "by bob",
                    .generation: "by eve",
                ])
            #expect(pauses[.intake("orders")]?.since == since[.intake("in")]?.since)
            #expect(try await ledger(provider, "p", inputs: ["more"]).pauses().isEmpty)
        }
    }

    @Test(
        "What is paused under a name that the files don't have is missed", arguments: Kind.allCases)
    func missedPauses(_ kind: Kind) async throws {
        try await with(kind) { provider in
            let old = try ledger(provider, "p", sinks: ["ready", "copy"])
            try await old.register()
            try await old.pause([.delivery("copy"), .sealing], reason: "moved (ada@vm)")
            for new in [
                try ledger(provider, "p"), try ledger(provider, "p", "collect", inputs: ["others"]),
            ] {
                let error = await refusal { try await new.register() }
                #expect(error?.code == "state-unowned")
                #expect(error?.message.contains("paused (moved (ada@vm), since 2") == true)
            }
            try await ledger(provider, "p", sinks: ["copy"]).register()
            // Those of another pipeline are its own.
            try await ledger(provider, "q", inputs: ["others"]).register()
            try await old.resume([.delivery("copy")])
            try await ledger(provider, "p").register()
        }
    }

    @Test("Two pipelines that read the same are let in by naming both", arguments: Kind.allCases)
    func both(_ kind: Kind) async throws {
        try await with(kind) { provider in
            let old = try ledger(provider, "p")
            try await old.register()
            try await fill(old)
            var need = LedgerNeed(
                pipeline: "q", stage: "batch", ruleText: "count 2", revision: nil)
            let (p, q) = (
                StateOwner(pipeline: "p", stage: "batch", inputs: ["requests"]),
                StateOwner(pipeline: "q", stage: "batch", inputs: ["requests"])
            )
            need.owners = [q]
            #expect(await refusal { try await provider.enter(need) }?.code == "state-unowned")
            need.owners = [q, p]
            try await provider.enter(need)
            try await provider.enter(need)
            try await ledger(provider, "q").register()
        }
    }
}
