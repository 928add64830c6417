internal import Batching
internal import Ledger
internal import PipelineCore

extension LedgerConformance {
    static let ending: [Check] = [
        check("pending cases are ended once, and a count stays exact") { fixture in
            let ledger = try await fixture.ledger(.count(4), maxBatch: 4)
            let cases = fixture.cases(9)
            try await ledger.add(Array(cases[0..<4]))
            _ = try await ledger.sealAll()
            try await ledger.add(Array(cases[4..<8]))
            let ids = [cases[5].id, cases[5].id, fixture.random.uuid()]
            try requireEqual(try await ledger.end(ids, as: .cancelled, reason: "x"), 1, "ended")
            try requireEqual(try await ledger.end(ids, as: .cancelled, reason: "x"), 0, "again")
            try require(try await ledger.sealAll().isEmpty, "three are enough")
            try await ledger.add([cases[8]])
            try requireEqual(try await ledger.sealAll().map(\.count), [4], "sizes")
            try requireEqual(try await ledger.claimAll().flatMap(\.cases).count, 8, "cases")
        },
        check("a sealed and a running case are ended, and their batch goes on") { fixture in
            let ledger = try await fixture.ledger(.count(3), maxBatch: 3)
            let cases = fixture.cases(3)
            try await ledger.add(cases)
            _ = try await ledger.sealAll()
            try requireEqual(try await ledger.cancel(cases[0]), 1, "ended when sealed")
            let batch = try await ledger.claimOne()
            try requireEqual(try await ledger.cancel(cases[1]), 1, "ended while it runs")
            try requireEqual(try await ledger.state(of: cases[1].id), .cancelled, "at once")
            let commit = fixture.commit(batch, sinks: ["s"])
            let first = try await ledger.commit(commit)
            try requireEqual(try await ledger.commit(commit), first, "a repeat's time")
            let states: [CaseState] = [.cancelled, .cancelled, .succeeded]
            try requireEqual(try await ledger.states(of: cases), states, "states")
            let delivery = try requireValue(
                try await ledger.claimDelivery(sink: "s", worker: "w", lease: .hours(1)),
                "delivery")
            let delivered = Dictionary(
                uniqueKeysWithValues: delivery.outcomes.map { ($0.caseID, $0.state) })
            try requireEqual(cases.map { delivered[$0.id] }, states, "delivered")
            try requireEqual(try await ledger.cancel(cases[2]), 0, "finished")
        },
        check("the outcomes of cases that waited are delivered, and purged after that") { fixture in
            let ledger = try await fixture.ledger(.manual)
            let cases = fixture.cases(3)
            try await ledger.add(cases)
            let ids = cases[..<2].map(\.id)
            try requireEqual(
                try await ledger.end(ids, as: .cancelled, reason: "x", sinks: ["s", "t"]), 2,
                "ended")
            let future = try await fixture.clock(of: ledger).advanced(by: .hours(1))
            for sink in ["s", "t"] {
                try requireEqual(try await ledger.purge(finishedBefore: future), nil, "too early")
                let delivery = try requireValue(
                    try await ledger.claimDelivery(sink: sink, worker: "w", lease: .hours(1)),
                    "delivery")
                try requireEqual(Set(delivery.outcomes.map(\.caseID)), Set(ids), "delivered")
                try requireEqual(Set(delivery.outcomes.map(\.state)), [.cancelled], "states")
                try await ledger.delivered(
                    batch: delivery.number, sink: sink, token: delivery.token)
            }
            try requireEqual(try await ledger.purgeAll(finishedBefore: future), 2, "purged")
            try requireEqual(try await ledger.overview().open.count, 1, "waiting")
        },
        check("a batch of which every case is ended is committed all the same") { fixture in
            let ledger = try await fixture.ledger(.count(2), maxBatch: 2)
            let cases = fixture.cases(2)
            try await ledger.add(cases)
            _ = try await ledger.sealAll()
            let batch = try await ledger.claimOne()
            try requireEqual(
                try await ledger.end(cases.map(\.id), as: .expired, reason: "late"), 2, "ended")
            let commit = fixture.commit(batch, failing: [cases[0].id])
            try await ledger.commit(commit)
            try await ledger.commit(commit)
            try requireEqual(try await ledger.states(of: cases), [.expired, .expired], "states")
            let future = try await fixture.clock(of: ledger).advanced(by: .hours(1))
            try requireEqual(try await ledger.purgeAll(finishedBefore: future), 2, "purged")
            try require(try await ledger.snapshots(of: cases.map(\.id)).isEmpty, "left")
        },
        check("a case that is ended stays so in the halves of its batch") { fixture in
            let ledger = try await fixture.ledger(.count(2), maxBatch: 2)
            let cases = fixture.cases(2)
            try await ledger.add(cases)
            _ = try await ledger.sealAll()
            let whole = try await ledger.claimOne()
            try requireEqual(try await ledger.cancel(cases[0]), 1, "ended")
            try await ledger.bisect(batch: whole.number, token: whole.token)
            for half in try await ledger.claimAll() {
                try await ledger.commit(fixture.commit(half))
            }
            try requireEqual(
                try await ledger.states(of: cases), [.cancelled, .succeeded], "states")
        },
        check("a case that was ended is opened again while its batch still runs") { fixture in
            let ledger = try await fixture.ledger(.count(1), maxBatch: 1)
            let item = fixture.cases(1)[0]
            try await ledger.add([item])
            _ = try await ledger.sealAll()
            let former = try await ledger.claimOne()
            try requireEqual(try await ledger.cancel(item), 1, "ended")
            try requireEqual(
                try await ledger.accept(Submissions([item])),
                .accepted(AcceptedCounts(new: 0, reopened: 1, repeated: 0)), "opened again")
            try await ledger.commit(fixture.commit(former, failing: [item.id]))
            try requireEqual(try await ledger.state(of: item.id), .pending, "the old batch's end")
            _ = try await ledger.sealAll()
            try await ledger.commit(fixture.commit(try await ledger.claimOne()))
            let snapshot = try requireValue(
                try await ledger.snapshots(of: [item.id])[item.id], "snapshot")
            try requireEqual(snapshot.state, .succeeded, "state")
            try requireEqual(snapshot.revision, 2, "revision")
        },
        check("a report that is being replayed is not ended: it is what readers are answered") {
            fixture in
            let ledger = try await fixture.ledger(.count(1), maxBatch: 1)
            let item = fixture.cases(1)[0]
            try await ledger.add([item])
            _ = try await ledger.sealAll()
            let batch = try await ledger.claimOne()
            try await ledger.commit(fixture.commit(batch))
            _ = try await ledger.replay(batch: batch.number)
            try requireEqual(try await ledger.cancel(item), 0, "ended")
            try await ledger.commit(fixture.commit(try await ledger.claimOne()))
            try requireEqual(try await ledger.state(of: item.id), .succeeded, "state")
        },
        check("of an end and a commit that meet, the first holds, and both say so") { fixture in
            let stage = fixture.stage(.count(4), maxBatch: 4)
            let (ledger, other) = (
                try await fixture.ledger(stage), try await fixture.ledger(stage)
            )
            for round in 0..<50 {
                let cases = fixture.cases(4)
                try await ledger.add(cases)
                async let sealed = ledger.sealAll()
                async let early = other.cancel(cases[0])
                _ = try await sealed
                var ended = [try await early]
                if ended[0] == 1, try await ledger.state(of: cases[1].id) == .pending {
                    // It has left the open batch, which is not full then.
                    try await ledger.add(fixture.cases(1))
                    _ = try await ledger.sealAll()
                }
                let batch = try await ledger.claimOne()
                async let commit = ledger.commit(fixture.commit(batch, failing: [cases[3].id]))
                for item in cases[1...] { ended.append(try await other.cancel(item)) }
                _ = try await commit
                for (item, count) in zip(cases, ended) {
                    let state = try await ledger.state(of: item.id)
                    try requireEqual(state == .cancelled, count == 1, "round \(round), told")
                    try requireEqual(state?.isFinal, true, "round \(round), \(state as Any)")
                }
            }
        },
    ]
}

extension Ledger {
    fileprivate func cancel(_ item: LedgerTestCase) async throws -> Int {
        try await end([item.id], as: .cancelled, reason: "not wanted")
    }

    fileprivate func states(of cases: [LedgerTestCase]) async throws -> [CaseState?] {
        let snapshots = try await snapshots(of: cases.map(\.id))
        return cases.map { snapshots[$0.id]?.state }
    }
}
