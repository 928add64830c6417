internal import Batching
internal import Ledger
internal import PipelineCore

extension LedgerConformance {
    static let sealing: [Check] = [
        check("with nothing waiting there is nothing to seal or to wait for") { fixture in
            let ledger = try await fixture.ledger(.any([.count(1), .maxAge(.zero)]))
            let result = try await ledger.seal()
            try require(result.sealed.isEmpty && result.next == nil, "\(result)")
            try requireEqual(result.open.count, 0)
            try requireEqual(try await ledger.expectedSealing().at, nil)
        },
        check("a count seals exactly max_batch, earliest deadline first, and 513 opens the next") {
            fixture in
            let ledger = try await fixture.ledger(.count(512))
            let cases = fixture.cases(1100)
            for start in stride(from: 0, to: 1100, by: 100) {
                try await ledger.add(Array(cases[start..<start + 100]))
            }
            let sealed = try await ledger.sealAll()
            try requireEqual(sealed.map(\.count), [512, 512], "sizes")
            try requireEqual(sealed.map(\.closedBy), ["count", "count"], "closed by")
            try requireEqual(try await ledger.seal().open.count, 76, "waiting")
            let batches = try await ledger.claimAll()
            try requireEqual(batches.map(\.number), sealed.map(\.number), "numbers")
            let deadlines = batches.flatMap { $0.cases.map(\.deadline) }
            let wanted = cases.compactMap(\.deadline).sorted().prefix(1024)
            try require(deadlines == Array(wanted), "not in the order of deadlines")
        },
        check("the most urgent go first, also of those that arrive after many seals") { fixture in
            let ledger = try await fixture.ledger(.count(5), maxBatch: 5)
            var waiting: [Timestamp] = []
            for round in 0..<60 {
                let cases = fixture.cases(round % 3 == 0 ? 9 : 5)
                waiting += cases.compactMap(\.deadline)
                try await ledger.add(cases)
                _ = try await ledger.seal()
                waiting.sort()
                for batch in try await ledger.claimAll() {
                    let wanted = Array(waiting.prefix(5))
                    try requireEqual(batch.cases.map(\.deadline), wanted, "round \(round)")
                    waiting.removeFirst(5)
                }
            }
        },
        check("a count below max_batch seals exactly the count") { fixture in
            let ledger = try await fixture.ledger(.any([.count(3), .manual]), maxBatch: 10)
            try await ledger.add(fixture.cases(8))
            try requireEqual(try await ledger.sealAll().map(\.count), [3, 3], "sizes")
            try await ledger.requestFlush()
            try requireEqual(try await ledger.sealAll().map(\.count), [2], "sizes")
        },
        check("one less than the count waits") { fixture in
            let ledger = try await fixture.ledger(.count(10), maxBatch: 10)
            try await ledger.add(fixture.cases(9))
            let result = try await ledger.seal()
            try require(result.sealed.isEmpty && result.next == nil, "\(result)")
            try await ledger.add(fixture.cases(1))
            try requireEqual(try await ledger.expectedSealing().at != nil, true, "expected")
            try requireEqual(try await ledger.seal().sealed.map(\.count), [10], "sizes")
        },
        check("any other firing drains into as few batches as hold it") { fixture in
            let ledger = try await fixture.ledger(.maxAge(.zero), maxBatch: 10)
            try await ledger.add(fixture.cases(25))
            let sealed = try await ledger.sealAll()
            try requireEqual(sealed.map(\.count), [10, 10, 5], "sizes")
            try requireEqual(Set(sealed.map(\.closedBy)), ["max_age"], "closed by")
            try requireEqual(try await ledger.claimAll().flatMap(\.cases).count, 25, "cases")
        },
        check("a large drain is finished, and only once") { fixture in
            let ledger = try await fixture.ledger(
                .maxAge(.zero), maxBatch: 2, minInterval: .hours(1))
            try await ledger.add(fixture.cases(301))
            try requireEqual(try await ledger.sealAll().map(\.count).reduce(0, +), 301, "cases")
            try await ledger.add(fixture.cases(1))
            try require(try await ledger.sealAll().isEmpty, "min_interval does not hold")
        },
        check("max_age waits for the oldest case") { fixture in
            let ledger = try await fixture.ledger(.maxAge(.hours(1)))
            let cases = fixture.cases(2)
            try await ledger.add([cases[0]])
            try await ledger.add([cases[1]])
            let accepted = try await ledger.snapshots(of: [cases[0].id])[cases[0].id]?.acceptedAt
            let result = try await ledger.seal()
            try require(result.sealed.isEmpty, "\(result)")
            try requireEqual(result.open.oldest, accepted, "oldest")
            try requireEqual(result.next, accepted?.advanced(by: .hours(1)), "next")
            let expected = try await ledger.expectedSealing()
            try requireEqual(expected.at, result.next, "expected")
            try requireEqual(expected.closedBy, "max_age", "by what")
            try requireEqual(expected.waiting, 2, "what waits")
            try requireEqual(expected.fullAt, nil, "no number seals")
            let earliest = try requireValue(accepted, "accepted")
            try require(
                expected.clock >= earliest && expected.clock < earliest.advanced(by: .hours(1)),
                "the store's clock")
        },
        check("deadline_margin looks at the earliest deadline") { fixture in
            let ledger = try await fixture.ledger(.deadlineMargin(.minutes(5)))
            let now = try await fixture.clock(of: ledger)
            let far = now.advanced(by: .hours(2))
            try await ledger.add(fixture.cases(3))
            try await ledger.add(fixture.cases(1, deadline: far))
            let result = try await ledger.seal()
            try require(result.sealed.isEmpty, "\(result)")
            try requireEqual(result.open.earliestDeadline, far, "earliest")
            try requireEqual(result.next, far.advanced(by: .minutes(-5)), "next")
            try await ledger.add(fixture.cases(1, deadline: now.advanced(by: .minutes(4))))
            let sealed = try await ledger.sealAll()
            try requireEqual(sealed.map(\.count), [5], "sizes")
            try requireEqual(sealed.first?.closedBy, "deadline_margin")
        },
        check("any holds with one of its triggers, all with every one") { fixture in
            let ledger = try await fixture.ledger(
                .any([.all([.count(3), .maxAge(.zero)]), .deadlineMargin(.zero)]), maxBatch: 10)
            try await ledger.add(fixture.cases(2))
            try require(try await ledger.seal().sealed.isEmpty, "two of three are enough")
            try await ledger.add(fixture.cases(1))
            try requireEqual(try await ledger.sealAll().map(\.closedBy), ["count+max_age"])
            try await ledger.add(fixture.cases(1, deadline: Timestamp(microseconds: 0)))
            try requireEqual(try await ledger.sealAll().map(\.closedBy), ["deadline_margin"])
        },
        check("min_interval holds back everything but full batches") { fixture in
            let ledger = try await fixture.ledger(
                .any([.count(4), .maxAge(.zero)]), maxBatch: 4, minInterval: .hours(1))
            try await ledger.add(fixture.cases(1))
            try requireEqual(try await ledger.seal().sealed.count, 1, "batches")
            try await ledger.add(fixture.cases(3))
            let held = try await ledger.seal()
            try require(held.sealed.isEmpty, "\(held)")
            try requireEqual(held.next, held.open.lastFired?.advanced(by: .hours(1)), "next")
            try await ledger.add(fixture.cases(2))
            try requireEqual(try await ledger.sealAll().map(\.count), [4], "sizes")
        },
    ]
}

extension LedgerConformance {
    static let flushing: [Check] = [
        check("a flush seals what waits, whatever min_interval says") { fixture in
            let ledger = try await fixture.ledger(
                .any([.count(512), .manual]), minInterval: .hours(1))
            for count in [3, 2] {
                try await ledger.add(fixture.cases(count))
                try require(try await ledger.sealAll().isEmpty, "it was not asked for")
                try await ledger.requestFlush()
                let sealed = try await ledger.sealAll()
                try requireEqual(sealed.map(\.count), [count], "sizes")
                try requireEqual(sealed.first?.closedBy, "manual")
            }
        },
        check("a flush is not for what comes after it") { fixture in
            let ledger = try await fixture.ledger(.manual)
            try await ledger.requestFlush()
            _ = try await ledger.sealAll()
            try await ledger.add(fixture.cases(1))
            try require(try await ledger.sealAll().isEmpty, "an old flush is still in force")
        },
        check("a full batch does not use up a flush") { fixture in
            let ledger = try await fixture.ledger(.any([.count(4), .manual]), maxBatch: 4)
            try await ledger.add(fixture.cases(5))
            try await ledger.requestFlush()
            let sealed = try await ledger.sealAll()
            try requireEqual(sealed.map(\.count), [4, 1], "sizes")
            try requireEqual(sealed.map(\.closedBy), ["count", "manual"], "closed by")
        },
    ]

    static let revisions: [Check] = [
        check("an older revision of the rule does not seal") { fixture in
            let old = try await fixture.ledger(fixture.stage(.maxAge(.zero), revision: 1))
            let new = try await fixture.ledger(
                fixture.stage(.maxAge(.zero), revision: 2, ruleText: "new rule"))
            try await old.add(fixture.cases(2))
            let refused = try await old.seal()
            try requireEqual(refused.outdatedBy, 2, "outdated by")
            try require(refused.sealed.isEmpty, "it sealed")
            try await old.register()
            try requireEqual(try await old.seal().outdatedBy, 2, "outdated after registering")
            try requireEqual(try await new.sealAll().map(\.count), [2], "sizes")
        },
        check("the same revision with another rule is refused") { fixture in
            _ = try await fixture.ledger(fixture.stage(.manual, revision: 3, ruleText: "a"))
            try await requireError(.fatal, "rule-conflict") {
                _ = try await fixture.ledger(
                    fixture.stage(.manual, revision: 3, ruleText: "b"))
            }
            _ = try await fixture.ledger(fixture.stage(.manual, revision: 3, ruleText: "a"))
            _ = try await fixture.ledger(fixture.stage(.manual, revision: 2, ruleText: "b"))
            _ = try await fixture.ledger(fixture.stage(.manual, revision: 4, ruleText: "b"))
        },
        check("a rule without a revision takes the next when its text is another") { fixture in
            let first = try await fixture.ledger(
                fixture.stage(.maxAge(.zero), revision: nil, ruleText: "a"))
            let same = try await fixture.ledger(
                fixture.stage(.maxAge(.zero), revision: nil, ruleText: "a"))
            try await first.add(fixture.cases(1))
            try requireEqual(try await same.sealAll().count, 1, "batches")
            let other = try await fixture.ledger(
                fixture.stage(.maxAge(.zero), revision: nil, ruleText: "b"))
            try await first.add(fixture.cases(1))
            try require(try await first.seal().outdatedBy != nil, "the older one still seals")
            try requireEqual(try await other.sealAll().count, 1, "batches")
        },
        check("a new revision's max_batch is in force") { fixture in
            let old = try await fixture.ledger(fixture.stage(.maxAge(.zero), maxBatch: 9))
            try await old.add(fixture.cases(10))
            let new = try await fixture.ledger(
                fixture.stage(.maxAge(.zero), maxBatch: 5, revision: 2, ruleText: "new"))
            try requireEqual(try await new.sealAll().map(\.count), [5, 5], "sizes")
        },
    ]
}
