internal import Concurrency
internal import CommandLineInterface
internal import PipelineConfiguration
internal import PipelineCore
internal import StandardCatalogue

extension ReloadingRun {
    /// Refuses files that name another store for a stage, or for none, while its present one has
    /// open work: nobody would work on it any more, and whoever asks for a case would be told that
    /// it is not known.
    ///
    /// A store that does not answer is left: whoever moves away from it may have no other way.
    /// - Throws: ``CommandFailure`` that says what is open, where, and what to do.
    func refuseLeaving(
        _ former: [PipelineDefinition], for next: [PipelineDefinition]
    ) async throws {
        let kept = Dictionary(
            next.flatMap(\.ledgers).map { ($0.name, place(of: $0.address)) },
            uniquingKeysWith: { first, _ in first })
        // What disappears from a store that others still use is found by the names that it keeps.
        let used = Set(kept.values)
        let left = former.flatMap(\.ledgers).filter { ledger in
            let place = place(of: ledger.address)
            return kept[ledger.name].map { $0 != place } ?? !used.contains(place)
        }
        if left.isEmpty { return }
        let open: [String]? = await abandoned(
            after: { try await PipelineClock.system.sleep(for: Self.questionTime) }
        ) {
            var open: [String] = []
            for ledger in left { open += await openWork(of: ledger) }
            return open
        }
        guard let open, !open.isEmpty else { return }
        throw CommandFailure(
            .configuration,
            "the new files name another store, and nobody would work on what is open in the present one: "
                + open.joined(separator: "; ")
                + ". Let it end there (`penstock pause --intake`, `penstock flush`), or leave it for now: stop the process, and start it with the new files"
        )
    }

    private func place(of address: ResourceAddress) -> String {
        process.catalogue.connector(address.scheme)?.identity(address) ?? address.url
    }

    private func openWork(of ledger: KeptLedger) async -> [String] {
        var resources = OpenResources(
            catalogue: process.catalogue,
            context: ResourceContext(
                clock: .system, random: RandomSource(), logger: process.logger, isRunning: false))
        guard let store = try? resources.open(ledger.address) as? any StandardStore, store.isThere
        else { return [] }
        // Its stage is at hand: what it remembers of finished work holds nobody back.
        let owner = StateOwner(pipeline: ledger.name.pipeline, stage: ledger.name.part ?? "")
        let open = try? await store.abandon(
            ledger.name, besides: [owner], reason: "", isTrial: true)
        await resources.close()
        return (open ?? []).map { "\(ledger.name) in \(ledger.address): \($0)" }
    }
}

/// A stage's ledger, and where it is kept.
private struct KeptLedger {
    var name: StateName
    var address: ResourceAddress
}

extension PipelineDefinition {
    fileprivate var ledgers: [KeptLedger] {
        stages.flatMap { stage in
            stage.contract.uses.compactMap { use in
                guard case .keepsLedger = use.purpose, let resource = resource(use.resource) else {
                    return nil
                }
                return KeptLedger(
                    name: StateName(pipeline: name, part: stage.id), address: resource.address)
            }
        }
    }
}
