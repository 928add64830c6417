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
            try requireEqual(try await ledger.summary().undelivered, 1, "undelivered")
            let second = try requireValue(try await ledger.claimDelivery("b"), "delivery")
            try requireEqual(second.outcomes, first.outcomes, "outcomes")
        },
        check("without sinks there is nothing to deliver") { fixture in
            let (ledger, _, _) = try await fixture.committed(sinks: [])
            try require(try await ledger.claimDelivery("s") == nil, "there is")
            try requireEqual(try await ledger.summary().undelivered, 0, "undelivered")
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
            try requireEqual(try await ledger.summary().undelivered, 1, "undelivered")
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
