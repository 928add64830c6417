internal import Concurrency
internal import Ledger
internal import Batching
internal import PipelineCore

extension LedgerConformance {
    static let reading: [Check] = [
        check("a snapshot tells every state, and unknown ids are missing") { fixture in
            let ledger = try await fixture.ledger(.any([.count(2), .manual]), maxBatch: 2)
            let cases = fixture.cases(8)
            let unknown = fixture.random.uuid()
            // Succeeded and failed, then running, then sealed, then the rest.
            try await ledger.add(Array(cases[0..<2]))
            _ = try await ledger.sealAll()
            let done = try await ledger.claimOne()
            try await ledger.commit(fixture.commit(done, failing: [cases[1].id]))
            try await ledger.add(Array(cases[2..<4]))
            _ = try await ledger.sealAll()
            _ = try await ledger.claimOne()
            try await ledger.add(Array(cases[4..<6]))
            _ = try await ledger.sealAll()
            try await ledger.add([cases[6]])
            _ = try await ledger.end([cases[6].id], as: .cancelled, reason: "asked to")
            try await ledger.add([cases[7]])
            let snapshots = try await ledger.snapshots(of: cases.map(\.id) + [unknown])
            let wanted: [CaseState] = [
                .succeeded, .failed, .running, .running, .sealed, .sealed, .cancelled, .pending,
            ]
            try requireEqual(cases.map { snapshots[$0.id]?.state }, wanted, "states")
            try requireEqual(snapshots.count, 8, "snapshots")
            for (item, state) in zip(cases, wanted) {
                let snapshot = try requireValue(snapshots[item.id], "snapshot")
                try requireEqual(snapshot.deadline, item.deadline, "deadline")
                try requireEqual(snapshot.outcome != nil, state.isFinal, "outcome of \(state)")
                try requireEqual(snapshot.outcome?.state ?? state, state, "outcome's state")
            }
            let report = snapshots[cases[0].id]?.outcome?.report
            try requireEqual(report, cases[0].parameters, "report")
            try requireEqual(snapshots[cases[6].id]?.outcome?.reason, "asked to", "reason")
            _ = try await ledger.end([cases[7].id], as: .expired, reason: "late")
            try requireEqual(try await ledger.state(of: cases[7].id), .expired)
            try require(try await ledger.snapshots(of: []).isEmpty, "something for nothing")
        },
        check("a case whose worker is gone is sealed, not running") { fixture in
            let ledger = try await fixture.ledger(.maxAge(.zero))
            let cases = fixture.cases(1)
            try await ledger.add(cases)
            _ = try await ledger.seal()
            _ = try await ledger.claim(worker: "w", lease: .seconds(-1))
            try requireEqual(try await ledger.state(of: cases[0].id), .sealed)
        },
        check("committing sends the signal") { fixture in
            let ledger = try await fixture.ledger(.maxAge(.zero))
            try await ledger.add(fixture.cases(1))
            _ = try await ledger.seal()
            try await ledger.commit(fixture.commit(try await ledger.claimOne()))
            try await ledger.outcomesCommitted.wait()
        },
        check("purging takes finished and delivered batches only") { fixture in
            let ledger = try await fixture.ledger(.count(1), maxBatch: 1)
            let cases = fixture.cases(4)
            for item in cases { try await ledger.add([item]) }
            _ = try await ledger.sealAll()
            let future = try await fixture.clock(of: ledger).advanced(by: .hours(1))
            // Three batches: without sinks, undelivered, delivered; a fourth is not generated.
            var batches: [Batch] = []
            for sinks in [[], ["s"], ["s"]] {
                let batch = try await ledger.claimOne()
                try await ledger.commit(fixture.commit(batch, sinks: sinks))
                batches.append(batch)
            }
            let first = try requireValue(
                try await ledger.claimDelivery(sink: "s", worker: "w", lease: .hours(1)), "delivery"
            )
            _ = try await ledger.claimDelivery(sink: "s", worker: "w", lease: .hours(1))
            try await ledger.delivered(batch: first.number, sink: "s", token: first.token)
            try requireEqual(
                try await ledger.purgeAll(finishedBefore: Timestamp(microseconds: 0)), 0,
                "too early")
            try requireEqual(try await ledger.purgeAll(finishedBefore: future), 2, "purged")
            try requireEqual(try await ledger.purgeAll(finishedBefore: future), 0, "purged again")
            let left = try await ledger.snapshots(of: cases.map(\.id))
            let gone = [batches[0].cases[0].id, first.outcomes[0].caseID]
            try requireEqual(left.count, 2, "left")
            try require(gone.allSatisfy { left[$0] == nil }, "the wrong ones went")
        },
        check("stages do not see each other") { fixture in
            let ledger = try await fixture.ledger(.maxAge(.zero))
            var other = fixture.stage(.maxAge(.zero))
            other.stage = "other"
            let neighbour = try await fixture.ledger(other)
            let cases = fixture.cases(3)
            try await ledger.add(cases)
            try requireEqual(try await neighbour.sealAll(), [], "batches")
            try require(try await neighbour.snapshots(of: [cases[0].id]).isEmpty, "cases")
            try await neighbour.add([cases[0].altered])
            _ = try await ledger.sealAll()
            try require(
                try await neighbour.claim(worker: "w", lease: .hours(1)) == nil, "claimed")
        },
    ]
}
