internal import Batching
internal import Ledger
internal import PipelineCore

extension LedgerConformance {
    static let accepting: [Check] = [
        check("accepting a chunk again finds its cases") { fixture in
            let ledger = try await fixture.ledger(.manual)
            let chunk = Submissions(fixture.cases(20))
            try requireEqual(
                try await ledger.accept(chunk),
                .accepted(AcceptedCounts(new: 20, reopened: 0, repeated: 0)))
            try requireEqual(
                try await ledger.accept(chunk),
                .accepted(AcceptedCounts(new: 0, reopened: 0, repeated: 20)))
            try requireEqual(try await ledger.overview().open.count, 20, "pending")
        },
        check("a case keeps its request's trace, to its end and after a new attempt") { fixture in
            let ledger = try await fixture.ledger(.count(3))
            var cases = fixture.cases(3)
            let traces = (1...2).map {
                TraceContext("00-4bf92f3577b34da6a3ce929d0e0e473\($0)-00f067aa0ba902b7-01")
            }
            cases[1].trace = traces[0]
            try await ledger.add(cases)
            _ = try await ledger.sealAll()
            let claimed = try await ledger.claim(worker: "w", lease: .seconds(60))
            let batch = try requireValue(claimed, "a batch")
            func trace(of id: UUID) -> TraceContext? { id == cases[1].id ? traces[0] : nil }
            for item in batch.cases { try requireEqual(item.trace, trace(of: item.id)) }
            _ = try await ledger.commit(
                fixture.commit(batch, sinks: ["s"], failing: [cases[1].id]))
            let delivery = try requireValue(
                try await ledger.claimDelivery(sink: "s", worker: "w", lease: .seconds(60)),
                "a delivery")
            for outcome in delivery.outcomes {
                try requireEqual(outcome.trace, trace(of: outcome.caseID))
            }
            cases[1].trace = traces[1]
            _ = try await ledger.accept(Submissions([cases[1]]))
            let history = try await ledger.history(of: cases[1].id)
            try requireEqual(history?.attempts.map(\.trace), traces)
            try requireEqual(
                try await ledger.history(of: cases[0].id)?.attempts.map(\.trace), [nil])
        },
        check("positions start as given, once") { fixture in
            let ledger = try await fixture.ledger(.manual)
            try requireEqual(
                try await ledger.positions(of: "t", initial: [0: 5, 7: 0]), [0: 5, 7: 0])
            try requireEqual(
                try await ledger.positions(of: "t", initial: [0: 9, 3: 2]), [0: 5, 3: 2])
            try requireEqual(try await ledger.positions(of: "other", initial: [0: 1]), [0: 1])
            try requireEqual(try await ledger.positions(of: "t", initial: [:]), [:])
        },
        check("positions advance with the rows, over sources and partitions") { fixture in
            let ledger = try await fixture.ledger(.manual)
            _ = try await ledger.positions(of: "a", initial: [0: 0, 1: 100])
            _ = try await ledger.positions(of: "b", initial: [0: 7])
            let advances = [
                PositionAdvance(source: "a", partition: 1, expected: 100, next: 110),
                PositionAdvance(source: "b", partition: 0, expected: 7, next: 8),
            ]
            _ = try await ledger.accept(Submissions(fixture.cases(3), advances))
            try requireEqual(
                try await ledger.positions(of: "a", initial: [0: 0, 1: 0]), [0: 0, 1: 110])
            try requireEqual(try await ledger.positions(of: "b", initial: [0: 0]), [0: 8])
            let empty = PositionAdvance(source: "a", partition: 0, expected: 0, next: 4)
            _ = try await ledger.accept(Submissions([], [empty]))
            try requireEqual(try await ledger.positions(of: "a", initial: [0: 0]), [0: 4])
        },
        check("a zombie's chunk is fenced and leaves nothing") { fixture in
            let stage = fixture.stage(.manual)
            let (ledger, zombie) = (
                try await fixture.ledger(stage), try await fixture.ledger(stage)
            )
            _ = try await ledger.positions(of: "t", initial: [0: 0, 1: 0])
            let step = PositionAdvance(source: "t", partition: 0, expected: 0, next: 10)
            _ = try await ledger.accept(Submissions(fixture.cases(10), [step]))
            let late = fixture.cases(10)
            let other = PositionAdvance(source: "t", partition: 1, expected: 0, next: 10)
            // The position of partition 1 is right, that of partition 0 is not: neither moves.
            try await requireError(.fenced, "position-moved") {
                _ = try await zombie.accept(Submissions(late, [other, step]))
            }
            try requireEqual(
                try await ledger.positions(of: "t", initial: [0: 0, 1: 0]), [0: 10, 1: 0])
            try require(
                try await ledger.snapshots(of: late.map(\.id)).isEmpty, "a zombie's cases are there"
            )
            try requireEqual(try await ledger.overview().open.count, 10, "pending")
        },
        check("a position that is not stored can't be advanced") { fixture in
            let ledger = try await fixture.ledger(.manual)
            let step = PositionAdvance(source: "t", partition: 0, expected: 0, next: 10)
            try await requireError(.fenced, "position-moved") {
                _ = try await ledger.accept(Submissions(fixture.cases(1), [step]))
            }
        },
        check("a conflict names its indices and writes nothing") { fixture in
            let ledger = try await fixture.ledger(.manual)
            _ = try await ledger.positions(of: "t", initial: [0: 0])
            let known = fixture.cases(3)
            try await ledger.add(known)
            let new = fixture.cases(2)
            let step = PositionAdvance(source: "t", partition: 0, expected: 0, next: 5)
            let chunk = [new[0], known[1].altered, known[0], new[1], known[2].altered]
            try requireEqual(
                try await ledger.accept(Submissions(chunk, [step])), .conflicts([1, 4]))
            try requireEqual(try await ledger.positions(of: "t", initial: [0: 0]), [0: 0])
            try require(
                try await ledger.snapshots(of: new.map(\.id)).isEmpty, "new cases are there")
            try requireEqual(
                try await ledger.accept(Submissions([new[0], known[0], new[1]], [step])),
                .accepted(AcceptedCounts(new: 2, reopened: 0, repeated: 1)))
        },
        check("within a chunk the first of an id counts, whatever the order of ids") { fixture in
            let ledger = try await fixture.ledger(.manual)
            for _ in 0..<10 {
                let new = fixture.cases(2)
                let chunk = [new[0], new[1], new[0].altered, new[1], new[1].altered]
                try requireEqual(try await ledger.accept(Submissions(chunk)), .conflicts([2, 4]))
                try requireEqual(
                    try await ledger.accept(Submissions([new[0], new[1], new[1], new[0]])),
                    .accepted(AcceptedCounts(new: 2, reopened: 0, repeated: 2)))
            }
        },
        check("a case without a deadline is due after the stage's SLA") { fixture in
            let ledger = try await fixture.ledger(fixture.stage(.manual, sla: .minutes(90)))
            var cases = fixture.cases(2)
            cases[0].deadline = nil
            try await ledger.add(cases)
            let snapshots = try await ledger.snapshots(of: cases.map(\.id))
            let first = try requireValue(snapshots[cases[0].id], "snapshot")
            try requireEqual(first.acceptedAt.duration(to: first.deadline), .minutes(90), "time")
            try requireEqual(snapshots[cases[1].id]?.deadline, cases[1].deadline, "deadline")
        },
    ]

    static let reopening: [Check] = [
        check("a repeat of a failed case opens it again, of a succeeded one does not") { fixture in
            let ledger = try await fixture.ledger(.maxAge(.zero))
            let cases = fixture.cases(2)
            try await ledger.add(cases)
            _ = try await ledger.seal()
            let batch = try await ledger.claimOne()
            try await ledger.commit(fixture.commit(batch, failing: [cases[0].id]))
            try requireEqual(try await ledger.state(of: cases[0].id), .failed)
            try requireEqual(
                try await ledger.accept(Submissions(cases + [cases[0]])),
                .accepted(AcceptedCounts(new: 0, reopened: 1, repeated: 2)))
            try requireEqual(try await ledger.state(of: cases[0].id), .pending)
            try requireEqual(try await ledger.state(of: cases[1].id), .succeeded)
            _ = try await ledger.seal()
            let again = try await ledger.claimOne()
            try requireEqual(again.cases.map(\.id), [cases[0].id], "cases")
            try require(
                batch.cases.allSatisfy { $0.number != again.cases[0].number },
                "a new attempt has the old number")
            try await ledger.commit(fixture.commit(again))
            try requireEqual(try await ledger.state(of: cases[0].id), .succeeded)
        },
        check("each attempt's outcome has the next revision, for readers and sinks alike") {
            fixture in
            let ledger = try await fixture.ledger(.maxAge(.zero))
            let cases = fixture.cases(2)
            for revision in 1...3 {
                _ = try await ledger.accept(Submissions(cases))
                let open = try await ledger.snapshots(of: [cases[0].id])[cases[0].id]
                try requireEqual(open?.revision, revision, "revision of a case that waits")
                try requireEqual(open?.outcome, nil, "outcome of the attempt before")
                _ = try await ledger.seal()
                let batch = try await ledger.claimOne()
                let failing: Set<UUID> = revision < 3 ? [cases[0].id] : []
                try await ledger.commit(fixture.commit(batch, sinks: ["s"], failing: failing))
                let read = try await ledger.snapshots(of: cases.map(\.id))
                try requireEqual(read[cases[0].id]?.outcome?.revision, revision, "revision")
                try requireEqual(read[cases[1].id]?.outcome?.revision, 1, "of another case")
                let delivery = try requireValue(
                    try await ledger.claimDelivery(sink: "s", worker: "w", lease: .minutes(1)),
                    "delivery")
                try requireEqual(
                    delivery.outcomes.first { $0.caseID == cases[0].id }?.revision, revision,
                    "revision that is delivered")
            }
        },
        check("says which cases a repeat opens, again or for the first time") { fixture in
            let ledger = try await fixture.ledger(.manual)
            let cases = fixture.cases(5)
            try await ledger.add(Array(cases[0..<2]))
            try await ledger.requestFlush()
            _ = try await ledger.sealAll()
            let batch = try await ledger.claimOne()
            try requireEqual(
                try await ledger.reopenable(of: cases[..<2].map(\.id)), [],
                "what is being generated")
            try await ledger.commit(fixture.commit(batch, failing: [cases[0].id]))
            try await ledger.add(Array(cases[2..<5]))
            _ = try await ledger.end([cases[2].id], as: .cancelled, reason: "no need")
            _ = try await ledger.end([cases[3].id], as: .expired, reason: "too late")
            let unknown = fixture.cases(1)[0]
            let asked = (cases + [unknown]).map(\.id)
            try requireEqual(
                try await ledger.reopenable(of: asked + asked),
                [cases[0].id, cases[2].id, cases[3].id, unknown.id], "cases")
            _ = try await ledger.accept(Submissions([cases[0]]))
            try requireEqual(
                try await ledger.reopenable(of: [cases[0].id]), [], "what was opened again")
            try requireEqual(try await ledger.reopenable(of: []), [], "nothing")
        },
        check("a repeat with another deadline changes nothing: the first one stands") { fixture in
            let ledger = try await fixture.ledger(.manual)
            let item = fixture.cases(1)[0]
            try await ledger.add([item])
            let known = try requireValue(
                try await ledger.snapshots(of: [item.id])[item.id]?.deadline, "deadline")
            for shift in [Duration.minutes(-30), .minutes(30)] {
                var repeated = item
                repeated.deadline = known.advanced(by: shift)
                try requireEqual(
                    try await ledger.accept(Submissions([repeated])),
                    .accepted(AcceptedCounts(new: 0, reopened: 0, repeated: 1)))
                let found = try await ledger.snapshots(of: [item.id])[item.id]?.deadline
                try requireEqual(found, known, "deadline")
            }
        },
        check("a failed case with other parameters is a conflict") { fixture in
            let ledger = try await fixture.ledger(.maxAge(.zero))
            let cases = fixture.cases(1)
            try await ledger.add(cases)
            _ = try await ledger.seal()
            let batch = try await ledger.claimOne()
            try await ledger.commit(fixture.commit(batch, failing: [cases[0].id]))
            try requireEqual(
                try await ledger.accept(Submissions([cases[0].altered])), .conflicts([0]))
            try requireEqual(try await ledger.state(of: cases[0].id), .failed)
        },
        check("a repeat of a cancelled or expired case opens it again") { fixture in
            let ledger = try await fixture.ledger(.manual)
            let cases = fixture.cases(2)
            try await ledger.add(cases)
            _ = try await ledger.end([cases[0].id], as: .cancelled, reason: "no need")
            _ = try await ledger.end([cases[1].id], as: .expired, reason: "too late")
            try requireEqual(
                try await ledger.accept(Submissions(cases)),
                .accepted(AcceptedCounts(new: 0, reopened: 2, repeated: 0)))
            try requireEqual(try await ledger.state(of: cases[0].id), .pending)
        },
        check("purging an old attempt leaves the living one known") { fixture in
            let ledger = try await fixture.ledger(.maxAge(.zero))
            let item = fixture.cases(1)[0]
            for attempt in 1...3 {
                let isNew = attempt == 1
                try requireEqual(
                    try await ledger.accept(Submissions([item, item])),
                    .accepted(
                        AcceptedCounts(new: isNew ? 1 : 0, reopened: isNew ? 0 : 1, repeated: 1)),
                    "attempt \(attempt)")
                let future = try await fixture.clock(of: ledger).advanced(by: .hours(1))
                try requireEqual(
                    try await ledger.purgeAll(finishedBefore: future), isNew ? 0 : 1, "purged")
                try requireEqual(
                    try await ledger.accept(Submissions([item])),
                    .accepted(AcceptedCounts(new: 0, reopened: 0, repeated: 1)), "a repeat")
                try requireEqual(
                    try await ledger.accept(Submissions([item.altered])), .conflicts([0]))
                let batch = try await ledger.claimOne()
                try requireEqual(batch.cases.map(\.id), [item.id], "cases")
                try await ledger.commit(fixture.commit(batch, failing: [item.id]))
                try requireEqual(try await ledger.state(of: item.id), .failed)
            }
            let future = try await fixture.clock(of: ledger).advanced(by: .hours(1))
            try requireEqual(try await ledger.purgeAll(finishedBefore: future), 1, "purged")
            try requireEqual(try await ledger.state(of: item.id), nil)
            try await ledger.add([item])
        },
    ]
}
