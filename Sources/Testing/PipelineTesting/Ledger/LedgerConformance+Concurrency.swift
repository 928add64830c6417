internal import Batching
internal import Ledger
internal import PipelineCore

extension LedgerConformance {
    static let concurrency: [Check] = [
        check("under concurrent accepting, sealing and claiming no case is lost or doubled") {
            fixture in
            let stage = fixture.stage(.any([.count(50), .manual]), maxBatch: 50)
            let cases = fixture.cases(1490)
            let chunks = stride(from: 0, to: cases.count, by: 31).map {
                Array(cases[$0..<min($0 + 31, cases.count)])
            }
            let ledger = try await fixture.ledger(stage)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<3 {
                    let chunks = stride(from: worker, to: chunks.count, by: 3).map { chunks[$0] }
                    group.addTask {
                        let ledger = try await fixture.ledger(stage)
                        for chunk in chunks { try await ledger.add(chunk) }
                    }
                }
                for _ in 0..<2 {
                    group.addTask {
                        let ledger = try await fixture.ledger(stage)
                        for _ in 0..<40 { _ = try await ledger.seal() }
                    }
                }
                try await group.waitForAll()
            }
            _ = try await ledger.sealAll()
            try await ledger.requestFlush()
            _ = try await ledger.sealAll()
            let batches = try await ledger.claimAll()
            try requireEqual(
                batches.map(\.cases.count), Array(repeating: 50, count: 29) + [40], "sizes")
            let sealed = batches.flatMap { $0.cases.map(\.id) }
            try requireEqual(sealed.count, cases.count, "cases")
            try requireEqual(Set(sealed), Set(cases.map(\.id)), "ids")
        },
        check("chunks with the same cases, handed in at once, make each case once") { fixture in
            let stage = fixture.stage(.maxAge(.zero))
            let cases = fixture.cases(100)
            let counts = try await withThrowingTaskGroup(of: AcceptedCounts.self) { group in
                for worker in 0..<4 {
                    group.addTask {
                        let ledger = try await fixture.ledger(stage)
                        var total = AcceptedCounts(new: 0, reopened: 0, repeated: 0)
                        for start in stride(from: 0, to: 100, by: 20) {
                            var chunk = Array(cases[start..<start + 20])
                            if worker % 2 == 1 { chunk.reverse() }
                            guard
                                case .accepted(let counts) = try await ledger.accept(
                                    Submissions(chunk))
                            else { continue }
                            total.new += counts.new
                            total.repeated += counts.repeated
                        }
                        return total
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            try requireEqual(counts.map(\.new).reduce(0, +), 100, "new")
            try requireEqual(counts.map(\.repeated).reduce(0, +), 300, "repeated")
            let ledger = try await fixture.ledger(stage)
            try requireEqual(try await ledger.sealAll().map(\.count), [100], "sizes")
        },
        check("a batch is claimed by one of many") { fixture in
            let stage = fixture.stage(.count(1), maxBatch: 1)
            let ledger = try await fixture.ledger(stage)
            try await ledger.add(fixture.cases(40))
            _ = try await ledger.sealAll()
            let claimed = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for _ in 0..<4 {
                    group.addTask { try await fixture.ledger(stage).claimAll().map(\.number) }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            try requireEqual(claimed.count, 40, "claims")
            try requireEqual(Set(claimed).count, 40, "batches")
        },
        check("of two holders of one position a single one moves it") { fixture in
            let stage = fixture.stage(.manual)
            let ledger = try await fixture.ledger(stage)
            _ = try await ledger.positions(of: "t", initial: [0: 0])
            let moved = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let ledger = try await fixture.ledger(stage)
                        let step = PositionAdvance(source: "t", partition: 0, expected: 0, next: 10)
                        do {
                            _ = try await ledger.accept(Submissions(fixture.cases(10), [step]))
                            return 1
                        } catch let error as PipelineError where error.code == "position-moved" {
                            return 0
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            try requireEqual(moved, 1, "moves")
            try requireEqual(try await ledger.overview().open.count, 10, "pending")
        },
        check("a case that is opened again while its old attempt is purged lives once") { fixture in
            let stage = fixture.stage(.maxAge(.zero))
            let (ledger, other) = (
                try await fixture.ledger(stage), try await fixture.ledger(stage)
            )
            let item = fixture.cases(1)[0]
            try await ledger.add([item])
            for round in 0..<25 {
                _ = try await ledger.seal()
                let batch = try await ledger.claimOne()
                try await ledger.commit(fixture.commit(batch, failing: [item.id]))
                let future = try await fixture.clock(of: ledger).advanced(by: .hours(1))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { _ = try await other.purgeAll(finishedBefore: future) }
                    group.addTask { try await ledger.acceptPersistently([item]) }
                    try await group.waitForAll()
                }
                _ = try await other.purgeAll(finishedBefore: future)
                try requireEqual(
                    try await ledger.accept(Submissions([item])),
                    .accepted(AcceptedCounts(new: 0, reopened: 0, repeated: 1)), "round \(round)")
                try requireEqual(
                    try await ledger.overview().open.count, 1, "round \(round), pending")
            }
        },
    ]
}

extension Ledger {
    /// Again while another transaction was in the way.
    fileprivate func acceptPersistently(_ cases: [LedgerTestCase]) async throws {
        for _ in 0..<100 {
            do {
                _ = try await accept(Submissions(cases))
                return
            } catch let error as PipelineError where error.disposition == .retryable {}
        }
        throw ConformanceFailure("accepting does not get through")
    }
}
