internal import Batching
internal import PipelineCore

extension LedgerFixture {
    /// A ledger with sealed batches of two cases.
    fileprivate func sealed(_ count: Int) async throws -> (any Ledger, [LedgerTestCase]) {
        let ledger = try await ledger(.count(2), maxBatch: 2)
        let cases = cases(2 * count)
        try await ledger.add(cases)
        try requireEqual(try await ledger.sealAll().count, count, "batches")
        return (ledger, cases)
    }
}

extension LedgerConformance {
    static let batches: [Check] = [
        check("claims are exclusive while the lease lives, oldest batch first") { fixture in
            let (ledger, cases) = try await fixture.sealed(2)
            let first = try await ledger.claimOne()
            let second = try await ledger.claimOne()
            try require(first.number < second.number, "not the oldest first")
            try require(
                try await ledger.claim(worker: "w", lease: .hours(1)) == nil, "claimed twice")
            try requireEqual(first.attempts, 1)
            try requireEqual(first.closedBy, "count")
            let parameters = Dictionary(uniqueKeysWithValues: cases.map { ($0.id, $0.parameters) })
            for item in first.cases + second.cases {
                try requireEqual(item.parameters, parameters[item.id] ?? [], "parameters")
            }
        },
        check("no more batches are in work than is allowed, whoever asks") { fixture in
            let (ledger, _) = try await fixture.sealed(5)
            func claim(_ worker: String, _ limit: Int? = 2) async throws -> Batch? {
                try await ledger.claim(worker: worker, lease: .hours(1), atMost: limit)
            }
            let first = try requireValue(try await claim("a"), "the first")
            let second = try requireValue(try await claim("b"), "the second")
            try require(try await claim("c") == nil, "a third is in work")
            try await ledger.commit(fixture.commit(first))
            let third = try requireValue(try await claim("c"), "the place of the first")
            try require(try await claim("a") == nil, "a fourth is in work")
            try await ledger.handBack(batch: second.number, token: second.token)
            try requireEqual(try await claim("a")?.number, second.number, "what was handed back")
            try await ledger.release(
                batch: third.number, token: third.token, after: .hours(1), reason: "x")
            // A lease that is over holds nothing up.
            _ = try requireValue(
                try await ledger.claim(worker: "b", lease: .seconds(-1), atMost: 2), "a place")
            try require(try await claim("c") != nil, "an expired lease counts")
            try require(try await claim("d", nil) != nil, "there is no limit")
        },
        check("however many ask at once, no more batches are in work than is allowed") {
            fixture in
            let (ledger, _) = try await fixture.sealed(12)
            let claimed = try await withThrowingTaskGroup(of: Int64?.self) { group in
                for worker in 0..<8 {
                    group.addTask {
                        try await ledger.claim(
                            worker: "w\(worker)", lease: .hours(1), atMost: 3)?.number
                    }
                }
                var numbers: Set<Int64> = []
                while let number = try await group.next() {
                    if let number { numbers.insert(number) }
                }
                return numbers
            }
            try requireEqual(claimed.count, 3, "batches in work")
        },
        check("an expired lease is claimed again, under a larger token") { fixture in
            let (ledger, _) = try await fixture.sealed(1)
            let first = try requireValue(
                try await ledger.claim(worker: "a", lease: .seconds(-1)), "batch")
            let second = try await ledger.claimOne()
            try requireEqual(second.number, first.number, "number")
            try require(second.token > first.token, "the token has not grown")
            try requireEqual(second.attempts, 2)
            try requireEqual(second.cases, first.cases, "cases")
        },
        check("a stale token can do nothing") { fixture in
            let (ledger, _) = try await fixture.sealed(1)
            let stale = try requireValue(
                try await ledger.claim(worker: "a", lease: .seconds(-1)), "batch")
            let batch = try await ledger.claimOne()
            let (number, token) = (stale.number, stale.token)
            try await requireError(.fenced, "lease-lost") {
                try await ledger.commit(fixture.commit(stale, sinks: ["s"]))
            }
            try await requireError(.fenced, "lease-lost") {
                try await ledger.extend(batch: number, token: token, lease: .hours(1))
            }
            try await requireError(.fenced, "lease-lost") {
                try await ledger.release(batch: number, token: token, after: .zero, reason: "x")
            }
            try await requireError(.fenced, "lease-lost") {
                try await ledger.bisect(batch: number, token: token)
            }
            let states = try await ledger.snapshots(of: batch.cases.map(\.id)).values.map(\.state)
            try requireEqual(states, [.running, .running], "states")
            try requireEqual(try await ledger.overview().undeliveredCount, 0, "deliveries")
            try await ledger.commit(fixture.commit(batch))
        },
        check("a late commit stands if nobody has claimed the batch since") { fixture in
            let (ledger, _) = try await fixture.sealed(1)
            let batch = try requireValue(
                try await ledger.claim(worker: "a", lease: .seconds(-1)), "batch")
            try await ledger.commit(fixture.commit(batch))
            try require(
                try await ledger.claim(worker: "w", lease: .hours(1)) == nil, "claimed again")
        },
        check("a commit repeated is fine, another under its token is not") { fixture in
            let (ledger, cases) = try await fixture.sealed(1)
            let batch = try await ledger.claimOne()
            let commit = fixture.commit(batch, sinks: ["s"])
            let committedAt = try await ledger.commit(commit)
            let writtenAt = try await ledger.snapshots(of: [cases[0].id])[cases[0].id]?.outcome?
                .writtenAt
            try requireEqual(committedAt, writtenAt, "when it was committed")
            let before = try await ledger.snapshots(of: [cases[0].id])[cases[0].id]?.outcome
            try requireEqual(try await ledger.commit(commit), committedAt, "the first time")
            try await requireError(.fenced, "lease-lost") {
                try await ledger.commit(fixture.commit(batch))
            }
            let after = try await ledger.snapshots(of: [cases[0].id])[cases[0].id]?.outcome
            try require(before != nil && before == after, "the outcome has changed")
            try requireEqual(try await ledger.overview().undeliveredCount, 1, "deliveries")
        },
        check("outcomes are exactly the batch's cases, or nothing is written") { fixture in
            let (ledger, _) = try await fixture.sealed(2)
            let (batch, other) = (try await ledger.claimOne(), try await ledger.claimOne())
            var missing = fixture.commit(batch)
            missing.cases.removeLast()
            missing.outcomeIDs.removeLast()
            missing.results.removeLast()
            var foreign = fixture.commit(batch)
            foreign.cases[0] = other.cases[0].number
            var more = fixture.commit(batch)
            more.cases.append(other.cases[0].number)
            more.outcomeIDs.append(fixture.random.uuid())
            more.results.append(.report([]))
            for wrong in [missing, foreign, more] {
                try await requireError(.fatal, "outcomes-mismatch") {
                    try await ledger.commit(wrong)
                }
            }
            try requireEqual(try await ledger.state(of: batch.cases[0].id), .running)
            try await ledger.commit(fixture.commit(batch))
            try await ledger.commit(fixture.commit(other))
        },
        check("outcomes may come in any order") { fixture in
            let (ledger, _) = try await fixture.sealed(1)
            let batch = try await ledger.claimOne()
            var commit = fixture.commit(batch)
            commit.cases.reverse()
            commit.results.reverse()
            commit.outcomeIDs.reverse()
            try await ledger.commit(commit)
            for item in batch.cases {
                let outcome = try await ledger.snapshots(of: [item.id])[item.id]?.outcome
                try requireEqual(outcome?.report, item.parameters, "report")
            }
        },
        check("a reason of any characters is kept, or what of it can be kept") { fixture in
            let (ledger, _) = try await fixture.sealed(1)
            let odd = "a\0b \u{1F980} \u{FEFF}\u{10FFFF}\r\n"
            let given = try await ledger.claimOne()
            try await ledger.release(
                batch: given.number, token: given.token, after: .zero, reason: odd)
            let batch = try await ledger.claimOne()
            var commit = fixture.commit(batch)
            commit.results = batch.cases.map { _ in .failure(code: "odd", reason: odd) }
            try await ledger.commit(commit)
            for item in batch.cases {
                let outcome = try await ledger.snapshots(of: [item.id])[item.id]?.outcome
                try requireEqual(outcome?.reason?.hasPrefix("odd: a"), true, "reason")
            }
        },
        check("a released batch waits for its delay, and its token is spent") { fixture in
            let (ledger, _) = try await fixture.sealed(1)
            let first = try await ledger.claimOne()
            try await ledger.release(
                batch: first.number, token: first.token, after: .zero, reason: "store-busy")
            try await requireError(.fenced, "lease-lost") {
                try await ledger.commit(fixture.commit(first))
            }
            let second = try await ledger.claimOne()
            try require(second.token > first.token, "the token has not grown")
            try await ledger.release(
                batch: second.number, token: second.token, after: .hours(1), reason: "store-busy")
            try require(
                try await ledger.claim(worker: "w", lease: .hours(1)) == nil, "not delayed")
        },
        check("a batch that was handed back is claimed again at once, and it was no attempt") {
            fixture in
            let (ledger, _) = try await fixture.sealed(1)
            let first = try await ledger.claimOne()
            try await ledger.handBack(batch: first.number, token: first.token)
            try await requireError(.fenced, "lease-lost") {
                try await ledger.commit(fixture.commit(first))
            }
            try await requireError(.fenced, "lease-lost") {
                try await ledger.handBack(batch: first.number, token: first.token)
            }
            let second = try await ledger.claimOne()
            try require(second.token > first.token, "the token has not grown")
            try requireEqual(second.attempts, 1, "attempts")
            try requireEqual(second.cases, first.cases, "cases")
            try await ledger.commit(fixture.commit(second))
            try await requireError(.fenced, "lease-lost") {
                try await ledger.handBack(batch: second.number, token: second.token)
            }
        },
        check("extending keeps the batch") { fixture in
            let (ledger, _) = try await fixture.sealed(1)
            let batch = try requireValue(
                try await ledger.claim(worker: "a", lease: .seconds(-1)), "batch")
            try await ledger.extend(batch: batch.number, token: batch.token, lease: .hours(1))
            try require(
                try await ledger.claim(worker: "w", lease: .hours(1)) == nil, "claimed again")
        },
        check("a bisected batch is two with the halves of its cases") { fixture in
            let ledger = try await fixture.ledger(.maxAge(.zero))
            try await ledger.add(fixture.cases(5))
            _ = try await ledger.seal()
            let whole = try await ledger.claimOne()
            try await ledger.bisect(batch: whole.number, token: whole.token)
            try await requireError(.fenced, "lease-lost") {
                try await ledger.commit(fixture.commit(whole))
            }
            let halves = try await ledger.claimAll()
            try requireEqual(halves.map(\.cases.count), [3, 2], "sizes")
            try requireEqual(halves.flatMap(\.cases), whole.cases, "cases")
            try requireEqual(halves.map(\.closedBy), ["max_age", "max_age"], "closed by")
            for half in halves { try await ledger.commit(fixture.commit(half)) }
            try requireEqual(try await ledger.overview().openBatches, 0, "open batches")
        },
        check("a single case can't be divided, and stays claimed") { fixture in
            let ledger = try await fixture.ledger(.maxAge(.zero))
            try await ledger.add(fixture.cases(1))
            _ = try await ledger.seal()
            let batch = try await ledger.claimOne()
            try await requireError(.fatal, "batch-indivisible") {
                try await ledger.bisect(batch: batch.number, token: batch.token)
            }
            try await ledger.commit(fixture.commit(batch))
        },
    ]
}
