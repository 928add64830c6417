internal import Batching
internal import Ledger
internal import PipelineCore

extension LedgerConformance {
    static let sealing: [Check] = [
        Check("with nothing waiting there is nothing to seal or to wait for") { fixture in
            let ledger = try await fixture.ledger(.any([.count(1), .maxAge(.zero)]))
            let result = try await ledger.seal()
            try expect(result.sealed.isEmpty && result.next == nil, "\(result)")
            try expectEqual(result.open.count, 0)
            try expectEqual(try await ledger.expectedSealing(), nil)
        },
        Check("a count seals exactly max_batch, earliest deadline first, and 513 opens the next") {
            fixture in
            let ledger = try await fixture.ledger(.count(512))
            let cases = fixture.cases(1100)
            for start in stride(from: 0, to: 1100, by: 100) {
                try await ledger.add(Array(cases[start..<start + 100]))
            }
            let sealed = try await ledger.sealAll()
            try expectEqual(sealed.map(\.count), [512, 512], "sizes")
            try expectEqual(sealed.map(\.closedBy), ["count", "count"], "closed by")
            try expectEqual(try await ledger.seal().open.count, 76, "waiting")
            let batches = try await ledger.claimAll()
            try expectEqual(batches.map(\.number), sealed.map(\.number), "numbers")
            let deadlines = batches.flatMap { $0.cases.map(\.deadline) }
            let wanted = cases.compactMap(\.deadline).sorted().prefix(1024)
            try expect(deadlines == Array(wanted), "not in the order of deadlines")
        },
        Check("one less than the count waits") { fixture in
            let ledger = try await fixture.ledger(.count(10), maxBatch: 10)
            try await ledger.add(fixture.cases(9))
            let result = try await ledger.seal()
            try expect(result.sealed.isEmpty && result.next == nil, "\(result)")
            try await ledger.add(fixture.cases(1))
            try expectEqual(try await ledger.expectedSealing() != nil, true, "expected")
            try expectEqual(try await ledger.seal().sealed.map(\.count), [10], "sizes")
        },
        Check("any other firing drains into as few batches as hold it") { fixture in
            let ledger = try await fixture.ledger(.maxAge(.zero), maxBatch: 10)
            try await ledger.add(fixture.cases(25))
            let sealed = try await ledger.sealAll()
            try expectEqual(sealed.map(\.count), [10, 10, 5], "sizes")
            try expectEqual(Set(sealed.map(\.closedBy)), ["max_age"], "closed by")
            try expectEqual(try await ledger.claimAll().flatMap(\.cases).count, 25, "cases")
        },
        Check("a large drain is finished, and only once") { fixture in
            let ledger = try await fixture.ledger(
                .maxAge(.zero), maxBatch: 2, minInterval: .hours(1))
            try await ledger.add(fixture.cases(301))
            try expectEqual(try await ledger.sealAll().map(\.count).reduce(0, +), 301, "cases")
            try await ledger.add(fixture.cases(1))
            try expect(try await ledger.sealAll().isEmpty, "min_interval does not hold")
        },
        Check("max_age waits for the oldest case") { fixture in
            let ledger = try await fixture.ledger(.maxAge(.hours(1)))
            let cases = fixture.cases(2)
            try await ledger.add([cases[0]])
            try await ledger.add([cases[1]])
            let accepted = try await ledger.snapshots(of: [cases[0].id])[cases[0].id]?.acceptedAt
            let result = try await ledger.seal()
            try expect(result.sealed.isEmpty, "\(result)")
            try expectEqual(result.open.oldest, accepted, "oldest")
            try expectEqual(result.next, accepted?.advanced(by: .hours(1)), "next")
            try expectEqual(try await ledger.expectedSealing(), result.next, "expected")
        },
        Check("deadline_margin looks at the earliest deadline") { fixture in
            let ledger = try await fixture.ledger(.deadlineMargin(.minutes(5)))
            let now = try await fixture.clock(of: ledger)
            let far = now.advanced(by: .hours(2))
            try await ledger.add(fixture.cases(3))
            try await ledger.add(fixture.cases(1, deadline: far))
            let result = try await ledger.seal()
            try expect(result.sealed.isEmpty, "\(result)")
            try expectEqual(result.open.earliestDeadline, far, "earliest")
            try expectEqual(result.next, far.advanced(by: .minutes(-5)), "next")
            try await ledger.add(fixture.cases(1, deadline: now.advanced(by: .minutes(4))))
            let sealed = try await ledger.sealAll()
            try expectEqual(sealed.map(\.count), [5], "sizes")
            try expectEqual(sealed.first?.closedBy, "deadline_margin")
        },
        Check("any holds with one of its triggers, all with every one") { fixture in
            let ledger = try await fixture.ledger(
                .any([.all([.count(3), .maxAge(.zero)]), .deadlineMargin(.zero)]), maxBatch: 10)
            try await ledger.add(fixture.cases(2))
            try expect(try await ledger.seal().sealed.isEmpty, "two of three are enough")
            try await ledger.add(fixture.cases(1))
            try expectEqual(try await ledger.sealAll().map(\.closedBy), ["count+max_age"])
            try await ledger.add(fixture.cases(1, deadline: Timestamp(microseconds: 0)))
            try expectEqual(try await ledger.sealAll().map(\.closedBy), ["deadline_margin"])
        },
        Check("min_interval holds back everything but full batches") { fixture in
            let ledger = try await fixture.ledger(
                .any([.count(4), .maxAge(.zero)]), maxBatch: 4, minInterval: .hours(1))
            try await ledger.add(fixture.cases(1))
            try expectEqual(try await ledger.seal().sealed.count, 1, "batches")
            try await ledger.add(fixture.cases(3))
            let held = try await ledger.seal()
            try expect(held.sealed.isEmpty, "\(held)")
            try expectEqual(held.next, held.open.lastFired?.advanced(by: .hours(1)), "next")
            try await ledger.add(fixture.cases(2))
            try expectEqual(try await ledger.sealAll().map(\.count), [4], "sizes")
        },
    ]

    static let flushing: [Check] = [
        Check("a flush seals what waits, whatever min_interval says") { fixture in
            let ledger = try await fixture.ledger(
                .any([.count(512), .manual]), minInterval: .hours(1))
            for count in [3, 2] {
                try await ledger.add(fixture.cases(count))
                try expect(try await ledger.sealAll().isEmpty, "it was not asked for")
                try await ledger.requestFlush()
                let sealed = try await ledger.sealAll()
                try expectEqual(sealed.map(\.count), [count], "sizes")
                try expectEqual(sealed.first?.closedBy, "manual")
            }
        },
        Check("a flush is not for what comes after it") { fixture in
            let ledger = try await fixture.ledger(.manual)
            try await ledger.requestFlush()
            _ = try await ledger.sealAll()
            try await ledger.add(fixture.cases(1))
            try expect(try await ledger.sealAll().isEmpty, "an old flush is still in force")
        },
        Check("a full batch does not use up a flush") { fixture in
            let ledger = try await fixture.ledger(.any([.count(4), .manual]), maxBatch: 4)
            try await ledger.add(fixture.cases(5))
            try await ledger.requestFlush()
            let sealed = try await ledger.sealAll()
            try expectEqual(sealed.map(\.count), [4, 1], "sizes")
            try expectEqual(sealed.map(\.closedBy), ["count", "manual"], "closed by")
        },
    ]

    static let revisions: [Check] =
        flushing + [
            Check("an older revision of the rule does not seal") { fixture in
                let old = try await fixture.ledger(fixture.stage(.maxAge(.zero), revision: 1))
                let new = try await fixture.ledger(
                    fixture.stage(.maxAge(.zero), revision: 2, ruleText: "new rule"))
                try await old.add(fixture.cases(2))
                let refused = try await old.seal()
                try expectEqual(refused.outdatedBy, 2, "outdated by")
                try expect(refused.sealed.isEmpty, "it sealed")
                try await old.register()
                try expectEqual(try await old.seal().outdatedBy, 2, "outdated after registering")
                try expectEqual(try await new.sealAll().map(\.count), [2], "sizes")
            },
            Check("the same revision with another rule is refused") { fixture in
                _ = try await fixture.ledger(fixture.stage(.manual, revision: 3, ruleText: "a"))
                try await expectError(.fatal, "rule-conflict") {
                    _ = try await fixture.ledger(
                        fixture.stage(.manual, revision: 3, ruleText: "b"))
                }
                _ = try await fixture.ledger(fixture.stage(.manual, revision: 3, ruleText: "a"))
                _ = try await fixture.ledger(fixture.stage(.manual, revision: 2, ruleText: "b"))
                _ = try await fixture.ledger(fixture.stage(.manual, revision: 4, ruleText: "b"))
            },
            Check("a new revision's max_batch is in force") { fixture in
                let old = try await fixture.ledger(fixture.stage(.maxAge(.zero), maxBatch: 9))
                try await old.add(fixture.cases(10))
                let new = try await fixture.ledger(
                    fixture.stage(.maxAge(.zero), maxBatch: 5, revision: 2, ruleText: "new"))
                try expectEqual(try await new.sealAll().map(\.count), [5, 5], "sizes")
            },
        ]
}
