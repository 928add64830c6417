internal import Batching
internal import Ledger
internal import PipelineCore

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
