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
        for ledger in former.flatMap(\.ledgers) {
            let place = place(of: ledger.address)
            guard kept[ledger.name].map({ $0 != place }) ?? !used.contains(place) else { continue }
            let open = await openWork(of: ledger)
            guard !open.isEmpty else { continue }
            throw CommandFailure(
                .configuration,
                "\(ledger.name) has open work in \(ledger.address), which the new files do not name any more: "
                    + open.joined(separator: "; ")
                    + ". Let it end there (`penstock pause --intake`, `penstock flush`), or give it up for now: stop the process, and start it with the new files"
            )
        }
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
        let opened = resources
        let found: [String]? = await abandoned(
            after: { try await PipelineClock.system.sleep(for: Self.questionTime) }
        ) {
            let open = try? await store.abandon(ledger.name, reason: "", isTrial: true)
            await opened.close()
            return open ?? []
        }
        return found ?? []
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
