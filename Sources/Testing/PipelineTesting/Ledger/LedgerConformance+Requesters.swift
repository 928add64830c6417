internal import Batching
internal import Ledger
internal import PipelineCore

extension LedgerConformance {
    static let requesting: [Check] = [
        check("a case stays its first requester's, whoever opens it again") { fixture in
            let ledger = try await fixture.ledger(.count(2), maxBatch: 2)
            var cases = fixture.cases(2)
            cases[0].requester = "ada"
            try await ledger.add(cases)
            let ids = cases.map(\.id)
            func requesters() async throws -> [String?] {
                let read = try await ledger.snapshots(of: ids)
                return ids.map { read[$0]?.requester }
            }
            try requireEqual(try await requesters(), ["ada", nil], "while they wait")
            _ = try await ledger.sealAll()
            try await ledger.commit(
                fixture.commit(try await ledger.claimOne(), sinks: ["s"], failing: Set(ids)))
            let outcomes = try await ledger.delivered(to: "s").outcomes
            for outcome in outcomes {
                try requireEqual(
                    outcome.requester, outcome.caseID == ids[0] ? "ada" : nil, "delivered")
            }
            let read = try await ledger.snapshots(of: ids)
            try requireEqual(read[ids[0]]?.outcome?.requester, "ada", "of the outcome")
            cases[0].requester = "bob"
            cases[1].requester = "bob"
            try requireEqual(
                try await ledger.accept(Submissions(cases)),
                .accepted(AcceptedCounts(new: 0, reopened: 2, repeated: 0)))
            try requireEqual(try await requesters(), ["ada", "bob"], "opened again")
        },
        check("lists cases by requester, in order of acceptance, each by its newest attempt") {
            fixture in
            let ledger = try await fixture.ledger(.manual)
            var cases = fixture.cases(6)
            for (index, name) in ["ada", "bob", "ada", nil, "ada", "ad"].enumerated() {
                cases[index].requester = name
                try await ledger.add([cases[index]])
            }
            _ = try await ledger.end([cases[0].id], as: .cancelled, reason: "no")
            _ = try await ledger.accept(Submissions([cases[0]]))
            func list(
                _ requester: String?, ascending: Bool = false, after: Int64? = nil, _ limit: Int = 9
            ) async throws -> [ListedCase] {
                try await ledger.list(
                    CaseListing(
                        requester: requester, after: after, isAscending: ascending, limit: limit))
            }
            let ada = try await list("ada")
            try requireEqual(ada.map(\.id), [0, 4, 2].map { cases[$0].id }, "newest first")
            try requireEqual(
                ada.map(\.parameters), [0, 4, 2].map { cases[$0].parameters }, "parameters")
            try requireEqual(
                try await list("ada", ascending: true).map(\.id), [2, 4, 0].map { cases[$0].id },
                "oldest first")
            try requireEqual(
                try await list(nil).map(\.id), [0, 5, 4, 3, 2, 1].map { cases[$0].id }, "all")
            let page = try await list(nil, 4)
            try requireEqual(page.map(\.id), [0, 5, 4, 3].map { cases[$0].id }, "first page")
            try requireEqual(
                try await list(nil, after: page.last?.number, 4).map(\.id),
                [2, 1].map { cases[$0].id }, "second page")
            try requireEqual(
                try await list("ada", ascending: true, after: ada.last?.number).map(\.id),
                [4, 0].map { cases[$0].id }, "second page, oldest first")
            try requireEqual(try await list("eve").count, 0, "a stranger's")
            let snapshot = try await ledger.snapshots(of: [cases[0].id])[cases[0].id]
            try requireEqual(ada[0].acceptedAt, snapshot?.acceptedAt, "acceptance")
        },
        check("a refresh has a finished case generated anew, and readers answered meanwhile") {
            fixture in
            let stage = fixture.stage(.count(3), maxBatch: 3, sla: .hours(5))
            let ledger = try await fixture.ledger(stage)
            let cases = fixture.cases(3)
            let ids = cases.map(\.id)
            let old = try await ledger.answer(cases, fixture, failing: [ids[1]])
            let first = try await ledger.snapshots(of: ids)
            let before = try await fixture.clock(of: ledger)
            let wanted = [ids[0], ids[1], ids[0], fixture.random.uuid()]
            try requireEqual(try await ledger.refresh(wanted), 2, "opened")
            try requireEqual(try await ledger.refresh(wanted), 0, "said again")
            try requireEqual(try await ledger.overview().open.count, 2, "in the open batch")
            let read = try await ledger.snapshots(of: ids)
            try requireEqual(read[ids[0]]?.outcome, first[ids[0]]?.outcome, "the old report")
            try requireEqual(ids.map { read[$0]?.revision }, [2, 2, 1], "revisions to come")
            try requireEqual(read[ids[1]]?.state, .pending, "one that had failed")
            try requireEqual(try await ledger.finished(of: ids), [ids[0], ids[2]], "finished")
            // A repeat of the request is one of the case that waits.
            try requireEqual(
                try await ledger.accept(Submissions([cases[0]])),
                .accepted(AcceptedCounts(new: 0, reopened: 0, repeated: 1)))
            try requireEqual(
                try await ledger.end([ids[0]], as: .cancelled, reason: "no"), 0, "ended")
            try await ledger.add(fixture.cases(1))
            _ = try await ledger.sealAll()
            let batch = try await ledger.claimOne()
            for item in batch.cases where ids.contains(item.id) {
                let asked = try requireValue(cases.first { $0.id == item.id }, "case")
                try requireEqual(item.parameters, asked.parameters, "parameters")
                try require(item.acceptedAt! >= before, "accepted before the refresh")
                try requireEqual(
                    item.acceptedAt!.duration(to: item.deadline), .hours(5), "promise")
                try require(!old.cases.contains(item.number), "the number of the old attempt")
            }
            try await ledger.commit(fixture.commit(batch))
            let anew = try await ledger.snapshots(of: ids)
            try requireEqual(ids.map { anew[$0]?.outcome?.revision }, [2, 2, 1], "outcomes")
            try requireEqual(
                try await ledger.history(of: ids[0])?.attempts.map(\.state),
                [.succeeded, .succeeded], "the old one is kept")
        },
    ]
}
