internal import Ledger
internal import Batching
internal import PipelineCore

extension LedgerConformance {
    static let inspection: [Check] = [
        check("an overview of an empty stage tells of nothing") { fixture in
            let ledger = try await fixture.ledger(.count(2))
            let overview = try await ledger.overview()
            try requireEqual(overview.open.count, 0, "open")
            try requireEqual(overview.open.oldest, nil, "oldest")
            try requireEqual(overview.openBatches, 0, "batches")
            try requireEqual(overview.revision, 1, "revision")
            try requireEqual(overview.undelivered, [:], "deliveries")
            try requireEqual(overview.oldestSealed, nil, "oldest sealed")
            try require(overview.nextFiring(Self.decide(.count(2))) == nil, "it fires")
            try require(try await ledger.isIdle(), "not idle")
            try requireEqual(try await ledger.batches(BatchSelection(), limit: 9), [], "batches")
            try requireEqual(try await ledger.history(of: fixture.random.uuid()), nil, "history")
        },
        check("an overview counts what waits, what runs and what is not delivered") { fixture in
            let ledger = try await fixture.ledger(.count(2), maxBatch: 2)
            let deadline = Timestamp(microseconds: 4_000_000_000_000_000)
            try await ledger.add(fixture.cases(7) + fixture.cases(2, deadline: deadline))
            _ = try await ledger.sealAll()
            _ = try await ledger.claimOne()
            for sinks in [["a", "b"], ["a"], []] {
                try await ledger.commit(fixture.commit(try await ledger.claimOne(), sinks: sinks))
            }
            try await ledger.add(fixture.cases(3))
            let overview = try await ledger.overview()
            try requireEqual(overview.open.count, 4, "open")
            try require(overview.open.oldest.map { $0 <= overview.clock } ?? false, "oldest")
            try require(
                overview.open.oldest! <= overview.open.newest!, "the newest is older")
            try requireEqual(overview.sealed, 0, "sealed")
            try requireEqual(overview.running, 1, "running")
            try requireEqual(overview.undelivered.mapValues(\.count), ["a": 2, "b": 1], "sinks")
            try requireEqual(overview.undeliveredCount, 3, "deliveries")
            let first = try requireValue(overview.nextFiring(Self.decide(.count(2))), "firing")
            try requireEqual(first.closedBy, "count", "why")
            try requireEqual(first.at, overview.clock, "when")
            let later = try requireValue(
                overview.nextFiring(Self.decide(.maxAge(.hours(1)))), "firing")
            try requireEqual(later.closedBy, "max_age", "why")
            try requireEqual(later.at, overview.open.oldest!.advanced(by: .hours(1)), "when")
        },
        check("batches are listed newest first, with what became of them") { fixture in
            let ledger = try await fixture.ledger(.count(2), maxBatch: 2)
            try await ledger.add(fixture.cases(8))
            _ = try await ledger.sealAll()
            let failed = try await ledger.claimOne()
            let done = try await ledger.claimOne()
            let delivering = try await ledger.claimOne()
            try await ledger.release(
                batch: failed.number, token: failed.token, after: .hours(1), reason: "no luck")
            try await ledger.commit(fixture.commit(done))
            try await ledger.commit(fixture.commit(delivering, sinks: ["a", "b"]))
            let delivery = try requireValue(
                try await ledger.claimDelivery(sink: "a", worker: "v", lease: .hours(1)), "delivery"
            )
            try await ledger.delivered(batch: delivery.number, sink: "a", token: delivery.token)
            let running = try await ledger.claimOne()

            let all = try await ledger.batches(BatchSelection(), limit: 9)
            try requireEqual(
                all.map(\.number),
                [running.number, delivering.number, done.number, failed.number], "order")
            try requireEqual(all.map(\.state), [.running, .delivering, .done, .sealed], "states")
            try requireEqual(all.map(\.cases), [2, 2, 2, 2], "cases")
            try require(all.allSatisfy { $0.closedBy == "count" && $0.revision == 1 }, "sealing")
            try require(all.allSatisfy { $0.oldestAccepted! <= $0.sealedAt }, "acceptance")
            try requireEqual(all[0].worker, "w", "worker")
            try require(all[0].leaseUntil! > all[0].sealedAt, "no lease")
            try requireEqual(all[0].wait, nil, "wait")
            try requireEqual(all[2].took, .milliseconds(500), "took")
            try requireEqual(all[2].rowsRead, 9, "rows")
            try require(all[2].wait! >= .zero, "wait")
            try requireEqual(all[3].lastError, "no luck", "error")
            try requireEqual(all[3].attempts, 1, "attempts")
            try require(all[3].notBefore! > all[3].sealedAt, "not before")
            try requireEqual(all[1].deliveries.map(\.sink), ["a", "b"], "sinks")
            try require(all[1].deliveries[0].deliveredAt != nil, "a")
            try require(all[1].deliveries[1].deliveredAt == nil, "b")
            try requireEqual(all[1].deliveries.map(\.attempts), [1, 0], "attempts")

            let open = try await ledger.batches(BatchSelection(isUnfinishedOnly: true), limit: 9)
            try requireEqual(open, [all[0], all[1], all[3]], "unfinished")
            try requireEqual(
                try await ledger.batches(BatchSelection(numbers: [done.number]), limit: 9),
                [all[2]], "by number")
            try requireEqual(
                try await ledger.batches(BatchSelection(), limit: 1), [all[0]], "limit")
        },
        check("a case's history has each attempt, and the batch that it was in") { fixture in
            let ledger = try await fixture.ledger(.count(1), maxBatch: 1)
            let item = fixture.cases(1)[0]
            try await ledger.add([item])
            var history = try requireValue(try await ledger.history(of: item.id), "history")
            try requireEqual(history.attempts.map(\.state), [.pending], "state")
            try requireEqual(history.attempts[0].deadline, item.deadline, "deadline")
            try requireEqual(history.batches, [], "batches")
            _ = try await ledger.sealAll()
            history = try requireValue(try await ledger.history(of: item.id), "history")
            try requireEqual(history.attempts.map(\.state), [.sealed], "state")
            let batch = try await ledger.claimOne()
            history = try requireValue(try await ledger.history(of: item.id), "history")
            try requireEqual(history.attempts.map(\.state), [.running], "state")
            try requireEqual(history.attempts.map(\.batch), [batch.number], "batch")
            let commit = fixture.commit(batch, failing: [item.id])
            try await ledger.commit(commit)
            _ = try await ledger.accept(Submissions([item]))
            history = try requireValue(try await ledger.history(of: item.id), "history")
            try requireEqual(history.attempts.map(\.revision), [1, 2], "revisions")
            try requireEqual(history.attempts.map(\.state), [.failed, .pending], "states")
            try requireEqual(history.attempts[0].outcomeID, commit.outcomeIDs[0], "outcome")
            try requireEqual(history.attempts[0].reason, "no-data: nothing there", "reason")
            try requireEqual(history.batches.map(\.number), [batch.number], "batches")
            try requireEqual(
                history.batch(of: history.attempts[0])?.state, .done, "the batch's state")
            try requireEqual(history.batch(of: history.attempts[1]), nil, "the open batch")
        },
        check("what is paused is not begun, in any process, and goes on when it is resumed") {
            fixture in
            let ledger = try await fixture.ledger(.count(2), maxBatch: 2)
            let beside = try await fixture.ledger(.count(2), maxBatch: 2)
            try await ledger.add(fixture.cases(4))
            try await ledger.pause([.sealing], reason: "inventory")
            try requireEqual(try await beside.sealAll(), [], "sealed")
            try requireEqual(try await ledger.overview().open.count, 4, "waiting")
            try await beside.add(fixture.cases(1))
            try await beside.resume([.sealing])
            try requireEqual(try await ledger.sealAll().count, 2, "sealed")

            try await ledger.pause([.intake("orders")], reason: "moved")
            try requireEqual(
                try await beside.pauses().mapValues(\.reason), [.intake("orders"): "moved"],
                "paused intake")
            try await beside.resume([.intake("orders")])
            try await ledger.pause([.generation, .delivery("a")], reason: "inventory")
            try require(try await beside.claim(worker: "w", lease: .hours(1)) == nil, "claimed")
            let paused = try await beside.pauses()
            try requireEqual(Set(paused.keys), [.generation, .delivery("a")], "pauses")
            try requireEqual(paused[.generation]?.reason, "inventory", "reason")
            try await beside.pause([.generation], reason: "again")
            try requireEqual(try await ledger.pauses(), paused, "a repeat changes something")
            try await beside.resume([.generation])
            let batch = try await ledger.claimOne()
            try await ledger.commit(fixture.commit(batch, sinks: ["a", "b"]))
            for sink in ["a", "b"] {
                let delivery = try await beside.claimDelivery(
                    sink: sink, worker: "w", lease: .hours(1))
                try requireEqual(delivery == nil, sink == "a", "a delivery to \(sink)")
            }
            try await ledger.resume([.sealing, .generation, .delivery("a")])
            try requireEqual(try await ledger.pauses(), [:], "pauses")
            _ = try requireValue(
                try await ledger.claimDelivery(sink: "a", worker: "w", lease: .hours(1)),
                "delivery")
        },
        check("keeps who changed what, in order, for each stage") { fixture in
            let ledger = try await fixture.ledger(.count(2), maxBatch: 2)
            try requireEqual(try await ledger.changes(after: nil, limit: 10), [], "changes")
            let before = try await fixture.clock(of: ledger)
            for number in 1...3 { try await ledger.note("did \(number)\u{0}", by: "ann@a") }
            let beside = try await fixture.ledger(.count(2), maxBatch: 2)
            let changes = try await beside.changes(after: nil, limit: 10)
            try requireEqual(changes.map { $0.action.prefix(5) }, ["did 1", "did 2", "did 3"], "")
            try requireEqual(Set(changes.map(\.actor)), ["ann@a"], "actors")
            try require(changes.allSatisfy { $0.at >= before }, "times")
            try requireEqual(
                try await ledger.changes(after: changes[1].number, limit: 10), [changes[2]],
                "after the second")
            try requireEqual(
                try await ledger.changes(after: nil, limit: 2), Array(changes[1...]), "latest")
            var stage = fixture.stage(.count(2), maxBatch: 2)
            stage.stage = "other"
            let other = try await fixture.ledger(stage)
            try requireEqual(try await other.changes(after: nil, limit: 10), [], "of another stage")
        },
        check("lists the positions of its inputs, by log") { fixture in
            let ledger = try await fixture.ledger(.count(2), maxBatch: 2)
            try requireEqual(try await ledger.logPositions(), [], "positions")
            let log = LogName("kafka:c/orders")
            _ = try await ledger.positions(of: log, initial: [1: 20, 0: 10])
            _ = try await ledger.positions(of: LogName("file:/a"), initial: [0: 5])
            try requireEqual(
                try await ledger.logPositions(),
                [
                    LogPositions(log: "file:/a", source: "file:/a", next: [0: 5]),
                    LogPositions(log: log.key, source: log.key, next: [0: 10, 1: 20]),
                ], "positions")
            try await ledger.restart(log, after: log.key, at: [0: 3, 1: 4])
            let moved = try await ledger.logPositions()[1]
            try requireEqual(moved.next, [0: 3, 1: 4], "positions that were set")
            try require(moved.source != log.key, "the old source is still in force")
        },
        check("a claim tells when its cases were accepted") { fixture in
            let ledger = try await fixture.ledger(.count(2), maxBatch: 2)
            let before = try await fixture.clock(of: ledger)
            try await ledger.add(fixture.cases(2))
            _ = try await ledger.sealAll()
            let batch = try await ledger.claimOne()
            try require(
                batch.cases.allSatisfy {
                    $0.acceptedAt! >= before && $0.acceptedAt! <= batch.sealedAt
                },
                "accepted at \(batch.cases.map(\.acceptedAt))")
        },
    ]

    /// The decision of a rule that seals up to 512.
    private static func decide(
        _ trigger: Trigger
    ) -> (OpenBatch, Timestamp) -> SealingDecision {
        let rule = BatchingRule(trigger: trigger, maxBatch: 512, minInterval: .zero)
        return { rule.decide($0, now: $1) }
    }
}
