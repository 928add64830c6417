internal import Batching
internal import PipelineCore

extension LedgerFixture {
    /// A ledger with one committed batch of three cases, the first of which failed.
    fileprivate func committed(sinks: [String]) async throws
        -> (ledger: any Ledger, batch: Batch, commit: BatchCommit)
    {
        let ledger = try await ledger(.maxAge(.zero))
        try await ledger.add(cases(3))
        _ = try await ledger.seal()
        let batch = try await ledger.claimOne()
        let commit = commit(batch, sinks: sinks, failing: [batch.cases[0].id])
        try await ledger.commit(commit)
        return (ledger, batch, commit)
    }
}

extension Ledger {
    fileprivate func claimDelivery(_ sink: String, lease: Duration = .hours(1)) async throws
        -> OutcomeBatch?
    {
        try await claimDelivery(sink: sink, worker: "w", lease: lease)
    }
}

extension LedgerConformance {
    static let deliveries: [Check] = [
        check("a delivery carries the full outcomes, in the batch's order") { fixture in
            let (ledger, batch, commit) = try await fixture.committed(sinks: ["s"])
            let delivery = try requireValue(try await ledger.claimDelivery("s"), "delivery")
            try requireEqual(delivery.number, batch.number, "number")
            try requireEqual(delivery.outcomes.map(\.caseID), batch.cases.map(\.id), "cases")
            try requireEqual(delivery.outcomes.map(\.id), commit.outcomeIDs, "outcome ids")
            for (outcome, item) in zip(delivery.outcomes, batch.cases) {
                try requireEqual(outcome.caseNumber, item.number, "case number")
                try requireEqual(outcome.deadline, item.deadline, "deadline")
                try requireEqual(outcome.parameters, item.parameters, "parameters")
                try requireEqual(outcome.dataAsOf, commit.dataAsOf, "data as of")
                try requireEqual(outcome.batch, batch.number, "batch")
                let read = try await ledger.snapshots(of: [item.id])[item.id]?.outcome
                try requireEqual(read, outcome, "the same outcome, read")
            }
            try requireEqual(
                delivery.outcomes.map(\.state), [.failed, .succeeded, .succeeded], "states")
            try requireEqual(delivery.outcomes[0].reason, "no-data: nothing there", "reason")
            try requireEqual(delivery.outcomes[0].report, nil, "report")
            try requireEqual(delivery.outcomes[1].report, batch.cases[1].parameters, "report")
        },
        check("each sink has its own deliveries") { fixture in
            let (ledger, batch, _) = try await fixture.committed(sinks: ["a", "b"])
            try require(try await ledger.claimDelivery("c") == nil, "an unknown sink has one")
            let first = try requireValue(try await ledger.claimDelivery("a"), "delivery")
            try require(try await ledger.claimDelivery("a") == nil, "claimed twice")
            try await ledger.delivered(batch: batch.number, sink: "a", token: first.token)
            try require(try await ledger.claimDelivery("a") == nil, "delivered twice")
            try requireEqual(try await ledger.overview().undeliveredCount, 1, "undelivered")
            let second = try requireValue(try await ledger.claimDelivery("b"), "delivery")
            try requireEqual(second.outcomes, first.outcomes, "outcomes")
        },
        check("without sinks there is nothing to deliver") { fixture in
            let (ledger, _, _) = try await fixture.committed(sinks: [])
            try require(try await ledger.claimDelivery("s") == nil, "there is")
            try requireEqual(try await ledger.overview().undeliveredCount, 0, "undelivered")
        },
        check("a stale delivery can do nothing") { fixture in
            let (ledger, batch, _) = try await fixture.committed(sinks: ["s"])
            let stale = try requireValue(
                try await ledger.claimDelivery("s", lease: .seconds(-1)), "delivery")
            let fresh = try requireValue(try await ledger.claimDelivery("s"), "delivery")
            try require(fresh.token > stale.token, "the token has not grown")
            let number = batch.number
            try await requireError(.fenced, "lease-lost") {
                try await ledger.delivered(batch: number, sink: "s", token: stale.token)
            }
            try await requireError(.fenced, "lease-lost") {
                try await ledger.extendDelivery(
                    batch: number, sink: "s", token: stale.token, lease: .hours(1))
            }
            try await requireError(.fenced, "lease-lost") {
                try await ledger.releaseDelivery(
                    batch: number, sink: "s", token: stale.token, after: .zero)
            }
            try requireEqual(try await ledger.overview().undeliveredCount, 1, "undelivered")
            try await ledger.delivered(batch: number, sink: "s", token: fresh.token)
            try await ledger.delivered(batch: number, sink: "s", token: fresh.token)
        },
        check("a released delivery waits for its delay, an extended one is kept") { fixture in
            let (ledger, batch, _) = try await fixture.committed(sinks: ["s"])
            let first = try requireValue(
                try await ledger.claimDelivery("s", lease: .seconds(-1)), "delivery")
            let number = batch.number
            try await ledger.extendDelivery(
                batch: number, sink: "s", token: first.token, lease: .hours(1))
            try require(try await ledger.claimDelivery("s") == nil, "not extended")
            try await ledger.releaseDelivery(
                batch: number, sink: "s", token: first.token, after: .zero)
            let second = try requireValue(try await ledger.claimDelivery("s"), "delivery")
            try require(second.token > first.token, "the token has not grown")
            try await requireError(.fenced, "lease-lost") {
                try await ledger.delivered(batch: number, sink: "s", token: first.token)
            }
            try await ledger.releaseDelivery(
                batch: number, sink: "s", token: second.token, after: .hours(1))
            try require(try await ledger.claimDelivery("s") == nil, "not delayed")
        },
        check("a delivery that was handed back is claimed again at once") { fixture in
            let (ledger, batch, _) = try await fixture.committed(sinks: ["s"])
            let first = try requireValue(try await ledger.claimDelivery("s"), "delivery")
            let number = batch.number
            try await ledger.handBackDelivery(batch: number, sink: "s", token: first.token)
            try await requireError(.fenced, "lease-lost") {
                try await ledger.delivered(batch: number, sink: "s", token: first.token)
            }
            let second = try requireValue(try await ledger.claimDelivery("s"), "delivery")
            try require(second.token > first.token, "the token has not grown")
            try await ledger.delivered(batch: number, sink: "s", token: second.token)
            try await requireError(.fenced, "lease-lost") {
                try await ledger.handBackDelivery(batch: number, sink: "s", token: second.token)
            }
        },
    ]
}

/// A committed batch of four cases, of which the sink `s` has refused the second and the fourth.
private struct ParkedBatch {
    let ledger: any Ledger
    let batch: Batch
    let delivery: OutcomeBatch
    let token: Int64
    var cases: [UUID] { delivery.outcomes.map(\.caseID) }

    func refuse(_ delivery: OutcomeBatch, _ indices: [Int], code: ErrorCode = "too-large")
        async throws
    {
        try await ledger.delivered(
            batch: batch.number, sink: "s", token: delivery.token,
            refused: indices.map {
                OutcomeRefusal(
                    caseNumber: delivery.outcomes[$0].caseNumber, code: code, reason: "no\0 room")
            })
    }

    func claim() async throws -> OutcomeBatch? {
        try await ledger.claimDelivery(sink: "s", worker: "w", lease: .hours(1))
    }

    func purge() async throws -> Int {
        let future = try await ledger.seal().clock.advanced(by: .hours(1))
        return try await ledger.purgeAll(finishedBefore: future)
    }
}

extension LedgerFixture {
    fileprivate func parked() async throws -> ParkedBatch {
        let ledger = try await ledger(.maxAge(.zero))
        try await ledger.add(cases(4))
        _ = try await ledger.seal()
        let batch = try await ledger.claimOne()
        try await ledger.commit(commit(batch, sinks: ["s", "t"]))
        let other = try requireValue(
            try await ledger.claimDelivery(sink: "t", worker: "w", lease: .hours(1)), "delivery")
        try await ledger.delivered(batch: batch.number, sink: "t", token: other.token)
        let delivery = try requireValue(
            try await ledger.claimDelivery(sink: "s", worker: "w", lease: .hours(1)), "delivery")
        let parked = ParkedBatch(
            ledger: ledger, batch: batch, delivery: delivery, token: delivery.token)
        try await parked.refuse(delivery, [1, 3])
        return parked
    }
}

extension LedgerConformance {
    static let parking: [Check] = [
        check("what a sink refuses is parked, and the delivery has ended") { fixture in
            let it = try await fixture.parked()
            try require(try await it.claim() == nil, "delivered again")
            try requireEqual(try await it.ledger.overview().undeliveredCount, 0, "undelivered")
            try requireEqual(try await it.ledger.parkedCounts(), ["s": 2], "counts")
            let parked = try await it.ledger.parked(.all, limit: 10)
            try requireEqual(Set(parked.map(\.caseID)), [it.cases[1], it.cases[3]], "cases")
            let ids = [it.delivery.outcomes[1].id, it.delivery.outcomes[3].id]
            try requireEqual(Set(parked.map(\.outcomeID)), Set(ids), "outcome ids")
            for outcome in parked {
                try requireEqual(outcome.batch, it.batch.number, "batch")
                try requireEqual(outcome.sink, "s", "sink")
                try requireEqual(outcome.code, "too-large", "code")
                try require(outcome.reason.hasPrefix("no"), "reason")
                try requireEqual(outcome.attempts, 1, "attempts")
                try require(!outcome.isDue, "due")
            }
            try requireEqual(try await it.ledger.parked(.all, limit: 1).count, 1, "limited")
        },
        check("the same refusal said again, after a lost answer, changes nothing") { fixture in
            let it = try await fixture.parked()
            try await it.refuse(it.delivery, [1, 3])
            try await it.refuse(it.delivery, [])
            let parked = try await it.ledger.parked(.all, limit: 10)
            try requireEqual(parked.map(\.attempts), [1, 1], "attempts")
        },
        check("a batch with parked outcomes is not purged before they are gone") { fixture in
            let it = try await fixture.parked()
            try requireEqual(try await it.purge(), 0, "purged")
            try requireEqual(
                try await it.ledger.dropParked(ParkedSelection(cases: [it.cases[1]])), 1, "dropped")
            try requireEqual(try await it.purge(), 0, "purged")
            try requireEqual(try await it.ledger.dropParked(.all), 1, "dropped")
            try require(try await it.claim() == nil, "delivered again")
            try requireEqual(try await it.purge(), 4, "purged")
        },
        check("a replay delivers the parked ones again, and no others, with the same ids") {
            fixture in
            let it = try await fixture.parked()
            try requireEqual(try await it.ledger.replayParked(.all), 2, "replayed")
            try requireEqual(try await it.ledger.replayParked(.all), 0, "replayed again")
            let again = try requireValue(try await it.claim(), "delivery")
            try requireEqual(
                again.outcomes, [it.delivery.outcomes[1], it.delivery.outcomes[3]], "outcomes")
            try requireEqual(again.attempts, 1, "counted anew")
            // One is refused once more.
            try await it.refuse(again, [0], code: "forbidden")
            let parked = try await it.ledger.parked(.all, limit: 10)
            try requireEqual(parked.map(\.caseID), [it.cases[1]], "left")
            try requireEqual(parked.map(\.attempts), [2], "attempts")
            try requireEqual(parked.map(\.code), ["forbidden"], "code")
            try requireEqual(try await it.purge(), 0, "purged")
            _ = try await it.ledger.replayParked(ParkedSelection(sink: "s", code: "forbidden"))
            try await it.refuse(try requireValue(try await it.claim(), "delivery"), [])
            try requireEqual(try await it.ledger.parkedCounts(), [:], "counts")
            try requireEqual(try await it.purge(), 4, "purged")
        },
        check("a selection keeps to its sink, its code and its cases") { fixture in
            let it = try await fixture.parked()
            for selection in [
                ParkedSelection(sink: "t"), ParkedSelection(code: "other"),
                ParkedSelection(cases: []), ParkedSelection(cases: [it.cases[0]]),
            ] {
                try requireEqual(try await it.ledger.parked(selection, limit: 9), [], "found")
                try requireEqual(try await it.ledger.replayParked(selection), 0, "replayed")
                try requireEqual(try await it.ledger.dropParked(selection), 0, "dropped")
            }
            let one = ParkedSelection(sink: "s", code: "too-large", cases: [it.cases[3]])
            try requireEqual(try await it.ledger.replayParked(one), 1, "replayed")
            let again = try requireValue(try await it.claim(), "delivery")
            try requireEqual(again.outcomes.map(\.caseID), [it.cases[3]], "cases")
        },
        check("parked outcomes of one case differ by their revision") { fixture in
            let it = try await fixture.parked()
            _ = try await it.ledger.replay(batch: it.batch.number)
            try await it.ledger.commit(
                fixture.commit(try await it.ledger.claimOne(), sinks: ["s"]))
            let delivery = try requireValue(try await it.claim(), "delivery")
            let again = try requireValue(
                delivery.outcomes.first { $0.caseID == it.cases[1] }, "outcome")
            try await it.ledger.delivered(
                batch: delivery.number, sink: "s", token: delivery.token,
                refused: [
                    OutcomeRefusal(
                        caseNumber: again.caseNumber, code: "too-large", reason: "no again")
                ])
            let both = try await it.ledger.parked(
                ParkedSelection(cases: [it.cases[1]]), limit: 9)
            try requireEqual(both.map(\.revision), [1, 2], "revisions")
            try requireEqual(Set(both.map(\.outcomeID)).count, 2, "outcome ids")
            var second = ParkedSelection(cases: [it.cases[1]])
            second.revision = 2
            try requireEqual(
                try await it.ledger.parked(second, limit: 9), [both[1]], "the second")
            try requireEqual(try await it.ledger.replayParked(second), 1, "replayed")
            try requireEqual(
                try await it.ledger.parked(.all, limit: 9).filter(\.isDue).map(\.revision), [2],
                "due")
            try requireEqual(try await it.ledger.dropParked(second), 1, "dropped")
            try requireEqual(try await it.ledger.parkedCounts(), ["s": 2], "left")
        },
        check("a list of parked outcomes goes on where it ended, and keeps to their age") {
            fixture in
            let it = try await fixture.parked()
            let all = try await it.ledger.parked(.all, limit: 9)
            var next = ParkedSelection.all
            for outcome in all {
                try requireEqual(try await it.ledger.parked(next, limit: 1), [outcome], "in steps")
                next.after = outcome.place
            }
            try requireEqual(try await it.ledger.parked(next, limit: 9), [], "behind the last")
            var young = ParkedSelection.all
            young.parkedFrom = all[1].parkedAt.advanced(by: .microseconds(1))
            var old = ParkedSelection.all
            old.parkedBefore = all[0].parkedAt
            for none in [young, old] {
                try requireEqual(try await it.ledger.parked(none, limit: 9), [], "found")
                try requireEqual(try await it.ledger.replayParked(none), 0, "replayed")
                try requireEqual(try await it.ledger.dropParked(none), 0, "dropped")
            }
            young.parkedFrom = all[0].parkedAt
            try requireEqual(try await it.ledger.dropParked(young), 2, "dropped")
        },
        check("what is replayed or dropped under a delivery fences it") { fixture in
            let it = try await fixture.parked()
            _ = try await it.ledger.replayParked(ParkedSelection(cases: [it.cases[1]]))
            let first = try requireValue(try await it.claim(), "delivery")
            _ = try await it.ledger.replayParked(ParkedSelection(cases: [it.cases[3]]))
            try await requireError(.fenced, "lease-lost") { try await it.refuse(first, []) }
            let second = try requireValue(try await it.claim(), "delivery")
            try requireEqual(second.outcomes.map(\.caseID), [it.cases[1], it.cases[3]], "cases")
            try requireEqual(try await it.ledger.dropParked(.all), 2, "dropped")
            try await requireError(.fenced, "lease-lost") { try await it.refuse(second, []) }
            try require(try await it.claim() == nil, "delivered again")
            try requireEqual(try await it.ledger.overview().undeliveredCount, 0, "undelivered")
        },
        check("tries are counted in the store, and a replay tries at once what waits") { fixture in
            let ledger = try await fixture.ledger(.maxAge(.zero))
            try await ledger.add(fixture.cases(1))
            _ = try await ledger.seal()
            let batch = try await ledger.claimOne()
            try await ledger.commit(fixture.commit(batch, sinks: ["s"]))
            for attempt in 1...3 {
                let delivery = try requireValue(
                    try await ledger.claimDelivery(sink: "s", worker: "w", lease: .hours(1)), "it")
                try requireEqual(delivery.attempts, attempt, "attempts")
                try await ledger.releaseDelivery(
                    batch: batch.number, sink: "s", token: delivery.token,
                    after: attempt == 3 ? .hours(1) : .zero)
            }
            try require(
                try await ledger.claimDelivery(sink: "s", worker: "w", lease: .hours(1)) == nil,
                "not delayed")
            try requireEqual(try await ledger.replayParked(.all), 0, "replayed")
            try require(
                try await ledger.claimDelivery(sink: "s", worker: "w", lease: .hours(1)) != nil,
                "still delayed")
        },
    ]
}
