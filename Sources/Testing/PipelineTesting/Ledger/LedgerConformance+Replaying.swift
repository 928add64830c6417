internal import Batching
internal import Ledger
internal import PipelineCore

extension LedgerConformance {
    static let replaying: [Check] = [
        check("a replay opens a batch's cases again, as one batch that is generated anew") {
            fixture in
            let stage = fixture.stage(.count(3), maxBatch: 3, sla: .hours(5))
            let ledger = try await fixture.ledger(stage)
            let cases = fixture.cases(3)
            let old = try await ledger.answer(cases, fixture, sinks: ["s"], failing: [cases[2].id])
            let delivered = try await ledger.delivered(to: "s")
            let before = try await fixture.clock(of: ledger)

            let replay = try await ledger.replay(batch: old.batch)
            try requireEqual(
                replay, BatchReplay(batch: replay.batch, replayed: 3), "what was replayed")
            let record = try requireValue(
                try await ledger.batches(BatchSelection(), limit: 1).first, "batch")
            try requireEqual(record.number, replay.batch, "the newest batch")
            try requireEqual(record.state, .sealed, "state")
            try requireEqual(record.closedBy, "replay", "why")
            try requireEqual(record.revision, 1, "the rule's revision")
            try requireEqual(record.cases, 3, "cases")
            try requireEqual(try await ledger.overview().open.count, 0, "in the open batch")

            let batch = try await ledger.claimOne()
            try requireEqual(batch.number, replay.batch, "claimed")
            try requireEqual(Set(batch.cases.map(\.id)), Set(cases.map(\.id)), "ids")
            for item in batch.cases {
                let first = try requireValue(cases.first { $0.id == item.id }, "case")
                try requireEqual(item.parameters, first.parameters, "parameters")
                try require(item.acceptedAt! >= before, "accepted before the replay")
                try requireEqual(
                    item.acceptedAt!.duration(to: item.deadline), .hours(5), "promise")
                try require(!old.cases.contains(item.number), "the number of the old attempt")
            }
            let commit = fixture.commit(batch, sinks: ["s"])
            try await ledger.commit(commit)
            let again = try await ledger.delivered(to: "s")
            try requireEqual(again.outcomes.map(\.revision), [2, 2, 2], "revisions delivered")
            try requireEqual(Set(again.outcomes.map(\.id)), Set(commit.outcomeIDs), "outcomes")
            try require(
                Set(again.outcomes.map(\.id)).isDisjoint(with: delivered.outcomes.map(\.id)),
                "an outcome id twice")
            let read = try await ledger.snapshots(of: cases.map(\.id))
            for item in cases {
                try requireEqual(read[item.id]?.outcome?.revision, 2, "revision read")
                try requireEqual(read[item.id]?.state, .succeeded, "state read")
                let life = try requireValue(try await ledger.history(of: item.id), "history")
                try requireEqual(life.attempts.map(\.revision), [1, 2], "attempts")
                try requireEqual(
                    life.attempts.map(\.batch), [old.batch, replay.batch], "their batches")
            }
        },
        check("readers are answered the old report until the replay's is committed") { fixture in
            let ledger = try await fixture.ledger(.count(2), maxBatch: 2)
            let cases = fixture.cases(2)
            let ids = cases.map(\.id)
            let old = try await ledger.answer(cases, fixture, failing: [ids[1]])
            let first = try await ledger.snapshots(of: ids)
            try requireEqual(first[ids[0]]?.revision, 1, "revision")
            _ = try await ledger.replay(batch: old.batch)
            for step in ["sealed", "running", "given back"] {
                if step == "running" {
                    let batch = try await ledger.claimOne()
                    try requireEqual(try await ledger.state(of: ids[1]), .running, step)
                    try await ledger.handBack(batch: batch.number, token: batch.token)
                }
                let read = try await ledger.snapshots(of: ids + [fixture.random.uuid()])
                try requireEqual(read.count, 2, "snapshots")
                let snapshot = try requireValue(read[ids[0]], "snapshot")
                try requireEqual(snapshot.outcome, first[ids[0]]?.outcome, "outcome, \(step)")
                try requireEqual(snapshot.state, .succeeded, "state, \(step)")
                try requireEqual(snapshot.deadline, cases[0].deadline, "deadline, \(step)")
                try requireEqual(
                    snapshot.acceptedAt, first[ids[0]]?.acceptedAt, "acceptance, \(step)")
                try requireEqual(snapshot.revision, 2, "the revision to come, \(step)")
                try requireEqual(read[ids[1]]?.outcome, nil, "outcome of a failed one, \(step)")
                try requireEqual(read[ids[1]]?.state, .sealed, "state of a failed one, \(step)")
                try requireEqual(read[ids[1]]?.revision, 2, "revision of a failed one, \(step)")
                try requireEqual(try await ledger.finished(of: ids), [ids[0]], "finished, \(step)")
            }
            let batch = try await ledger.claimOne()
            try await ledger.commit(fixture.commit(batch, failing: [ids[0]]))
            let read = try await ledger.snapshots(of: ids)
            // What the replay says counts, whatever it is.
            try requireEqual(ids.map { read[$0]?.state }, [.failed, .succeeded], "states")
            try requireEqual(ids.map { read[$0]?.outcome?.revision }, [2, 2], "revisions")
            try requireEqual(try await ledger.finished(of: ids), Set(ids), "finished")
            // The newest answer was no report: now the case waits like any that failed.
            _ = try await ledger.accept(Submissions([cases[0]]))
            try requireEqual(try await ledger.state(of: ids[0]), .pending, "asked for again")
            try requireEqual(try await ledger.finished(of: ids), [ids[1]], "finished")
        },
        check("a replay that is said again does nothing, and a later one is the next revision") {
            fixture in
            let ledger = try await fixture.ledger(.count(2), maxBatch: 2)
            let cases = fixture.cases(2)
            let old = try await ledger.answer(cases, fixture)
            let first = try await ledger.replay(batch: old.batch)
            try requireEqual(
                try await ledger.replay(batch: old.batch), BatchReplay(inWork: 2), "again")
            let batches = try await ledger.claimAll()
            try requireEqual(batches.map(\.number), [first.batch], "batches")
            try requireEqual(
                try await ledger.replay(batch: old.batch), BatchReplay(inWork: 2), "while it runs")
            try await ledger.commit(fixture.commit(batches[0]))
            try requireEqual(
                try await ledger.replay(batch: old.batch), BatchReplay(answeredSince: 2), "done")
            let second = try await ledger.replay(batch: first.batch!)
            try requireEqual(second.replayed, 2, "of the replay")
            let read = try await ledger.snapshots(of: cases.map(\.id)).values
            try requireEqual(read.map(\.outcome?.revision), [2, 2], "answered meanwhile")
            try requireEqual(read.map(\.revision), [3, 3], "to come")
        },
        check("a replay leaves out what was opened again since, and what nobody wants") {
            fixture in
            let ledger = try await fixture.ledger(.any([.count(3), .manual]), maxBatch: 3)
            let cases = fixture.cases(3)
            let old = try await ledger.answer(
                cases, fixture, failing: [cases[0].id, cases[1].id])
            let again = try await ledger.answer([cases[0]], fixture)
            _ = try await ledger.accept(Submissions([cases[1]]))
            let replay = try await ledger.replay(batch: old.batch)
            try requireEqual(
                replay,
                BatchReplay(batch: replay.batch, replayed: 1, inWork: 1, answeredSince: 1),
                "what was replayed")
            try requireEqual(try await ledger.claimOne().cases.map(\.id), [cases[2].id], "cases")
            try requireEqual(
                try await ledger.replay(batch: again.batch).replayed, 1, "the later attempt's")

            _ = try await ledger.end([cases[1].id], as: .cancelled, reason: "no need")
            let ended = try requireValue(
                try await ledger.history(of: cases[1].id)?.attempts.last?.batch, "batch")
            try requireEqual(
                try await ledger.replay(batch: ended), BatchReplay(ended: 1), "a cancelled one")
            try requireEqual(try await ledger.state(of: cases[1].id), .cancelled, "state")
        },
        check("only a stage's own batches with outcomes can be replayed") { fixture in
            let ledger = try await fixture.ledger(.count(1), maxBatch: 1)
            var other = fixture.stage(.count(1), maxBatch: 1)
            other.stage = "other"
            let neighbour = try await fixture.ledger(other)
            try await ledger.add(fixture.cases(1))
            _ = try await ledger.sealAll()
            let sealed = try await ledger.batches(BatchSelection(), limit: 1)[0].number
            for step in ["sealed", "running"] {
                try await requireError(.fatal, "batch-unfinished") {
                    _ = try await ledger.replay(batch: sealed)
                }
                if step == "sealed" { _ = try await ledger.claimOne() }
            }
            let old = try await neighbour.answer(fixture.cases(1), fixture)
            for number in [old.batch, .max, 0, -1] {
                try await requireError(.fatal, "batch-unknown") {
                    _ = try await ledger.replay(batch: number)
                }
            }
            try requireEqual(
                try await ledger.batches(BatchSelection(), limit: 9).count, 1, "batches")
            try requireEqual(try await neighbour.overview().openBatches, 0, "batches of the other")
        },
        check("a repeat of a request that is being replayed is a repeat") { fixture in
            let ledger = try await fixture.ledger(.count(2), maxBatch: 2)
            let cases = fixture.cases(2)
            let old = try await ledger.answer(cases, fixture, failing: [cases[1].id])
            _ = try await ledger.replay(batch: old.batch)
            for step in ["sealed", "running"] {
                try requireEqual(
                    try await ledger.accept(Submissions(cases + cases)),
                    .accepted(AcceptedCounts(new: 0, reopened: 0, repeated: 4)), step)
                try requireEqual(
                    try await ledger.accept(Submissions([cases[0].altered])), .conflicts([0]), step)
                try requireEqual(
                    try await ledger.reopenable(of: cases.map(\.id)), [], "dedupe, \(step)")
                try requireEqual(try await ledger.overview().open.count, 0, "waiting, \(step)")
                try requireEqual(
                    try await ledger.end([cases[0].id], as: .cancelled, reason: "x"), 0,
                    "cancelled, \(step)")
                if step == "sealed" { _ = try await ledger.claimOne() }
            }
        },
        check("purging the attempt before a replay leaves its case known, and its report read") {
            fixture in
            for isDone in [false, true] {
                let ledger = try await fixture.ledger(.count(1), maxBatch: 1)
                let item = fixture.cases(1)[0]
                let old = try await ledger.answer([item], fixture)
                _ = try await ledger.replay(batch: old.batch)
                if isDone {
                    let batch = try await ledger.claimOne()
                    try await ledger.commit(fixture.commit(batch, sinks: ["s"]))
                }
                let future = try await fixture.clock(of: ledger).advanced(by: .hours(1))
                try requireEqual(try await ledger.purgeAll(finishedBefore: future), 1, "purged")
                try requireEqual(
                    try await ledger.accept(Submissions([item])),
                    .accepted(AcceptedCounts(new: 0, reopened: 0, repeated: 1)), "a repeat")
                try requireEqual(
                    try await ledger.accept(Submissions([item.altered])), .conflicts([0]), "other")
                try await requireError(.fatal, "batch-unknown") {
                    _ = try await ledger.replay(batch: old.batch)
                }
                if isDone {
                    try requireEqual(
                        try await ledger.snapshots(of: [item.id])[item.id]?.outcome?.revision, 2,
                        "what is read")
                    _ = try await ledger.delivered(to: "s")
                } else {
                    try requireEqual(try await ledger.state(of: item.id), .sealed, "what is read")
                    try await ledger.commit(fixture.commit(try await ledger.claimOne()))
                }
                try requireEqual(try await ledger.purgeAll(finishedBefore: future), 1, "the last")
                try requireEqual(try await ledger.state(of: item.id), nil, "known")
                _ = try await ledger.answer([item], fixture)
                try requireEqual(
                    try await ledger.snapshots(of: [item.id])[item.id]?.outcome?.revision, 1, "new")
                try requireEqual(try await ledger.purgeAll(finishedBefore: future), 1, "all")
            }
        },
        check("a replay and a purge at once leave a case open again, or unknown") { fixture in
            let ledger = try await fixture.ledger(.count(1), maxBatch: 1)
            for _ in 0..<10 {
                let item = fixture.cases(1)[0]
                let old = try await ledger.answer([item], fixture)
                let future = try await fixture.clock(of: ledger).advanced(by: .hours(1))
                async let purged = ledger.purgeAll(finishedBefore: future)
                var isOpen = false
                do {
                    let replay = try await ledger.replay(batch: old.batch)
                    try requireEqual(
                        replay, BatchReplay(batch: replay.batch, replayed: 1), "what was replayed")
                    isOpen = true
                } catch let error as PipelineError where error.code == "batch-unknown" {}
                _ = try await purged
                let known = try await ledger.history(of: item.id)
                try requireEqual(known?.attempts.last?.revision, isOpen ? 2 : nil, "attempt")
                if isOpen {
                    try await ledger.commit(fixture.commit(try await ledger.claimOne()))
                }
                _ = try await ledger.purgeAll(finishedBefore: future)
            }
        },
        check("replays at once, beside repeats of the requests, open each case once") { fixture in
            let stage = fixture.stage(.any([.count(60), .manual]), maxBatch: 60)
            let ledger = try await fixture.ledger(stage)
            let cases = fixture.cases(60)
            let old = try await ledger.answer(
                cases, fixture, failing: Set(cases[..<30].map(\.id)))
            let opened = try await withThrowingTaskGroup(of: Int.self) { group in
                for worker in 0..<4 {
                    group.addTask {
                        let ledger = try await fixture.ledger(stage)
                        if worker % 2 == 0 {
                            return try await ledger.replay(batch: old.batch).replayed
                        }
                        guard
                            case .accepted(let counts) = try await ledger.accept(
                                Submissions(cases.reversed()))
                        else { throw ConformanceFailure("a repeat is a conflict") }
                        try requireEqual(counts.new, 0, "new")
                        return counts.reopened
                    }
                }
                return try await group.reduce(0, +)
            }
            try requireEqual(opened, 60, "opened")
            for item in cases {
                try requireEqual(
                    try await ledger.history(of: item.id)?.attempts.map(\.revision), [1, 2],
                    "attempts")
            }
        },
    ]
}

extension Ledger {
    /// Accepts the cases, has them sealed, claimed and committed as one batch.
    func answer(
        _ cases: [LedgerTestCase], _ fixture: LedgerFixture, sinks: [String] = [],
        failing: Set<UUID> = []
    ) async throws -> (batch: Int64, cases: [Int64]) {
        _ = try await accept(Submissions(cases))
        try await requestFlush()
        _ = try await sealAll()
        let batch = try await claimOne()
        try requireEqual(Set(batch.cases.map(\.id)), Set(cases.map(\.id)), "cases to answer")
        try await commit(fixture.commit(batch, sinks: sinks, failing: failing))
        return (batch.number, batch.cases.map(\.number))
    }

    /// Claims what is to be delivered to the sink, and ends it.
    func delivered(to sink: String) async throws -> OutcomeBatch {
        let delivery = try requireValue(
            try await claimDelivery(sink: sink, worker: "w", lease: .hours(1)), "delivery")
        try await delivered(batch: delivery.number, sink: sink, token: delivery.token)
        return delivery
    }
}
