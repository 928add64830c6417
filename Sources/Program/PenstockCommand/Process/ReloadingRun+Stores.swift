internal import Concurrency
internal import CommandLineInterface
internal import PipelineConfiguration
internal import PipelineCore
internal import StandardCatalogue

extension ReloadingRun {
    /// A ledger that has not answered for so long does not answer.
    private static let silence = Duration.seconds(4)
    /// What is open may be on its way just now.
    private static let secondLook = Duration.milliseconds(100)

    /// Asks what the new files use whether they can run here, before those that run give way.
    ///
    /// - Returns: whose state they have; `nil` if not everything has answered in time.
    /// - Throws: ``PipelineError``, fatal: for a mistake in an address or a login, an address to
    ///   listen on that is taken, and `state-unowned` for what would be stranded or stored twice.
    func look(at definitions: [PipelineDefinition]) async throws -> [StateOwner]? {
        var resources = OpenResources(
            catalogue: process.catalogue,
            context: ResourceContext(
                clock: .system, random: RandomSource(), logger: process.logger, isRunning: false))
        var named: [[ResourceName: any Resource]] = []
        for definition in definitions { named.append(try resources.open(definition)) }
        let (all, opened) = (resources, named)
        async let names = answer {
            try await refuseTakenAddresses(among: definitions, in: opened)
            let pipelines = OwnedPipelines(definitions)
            async let owned = pipelines.owners(in: opened)
            try await refuseSilence(of: definitions, in: opened)
            let owners = await owned
            try await refuseStranding(by: definitions, owners, in: opened)
            try await pipelines.refuseRepeats(among: owners, in: opened)
            return owners
        }
        async let hasNoMistakes: Void? = answer {
            try await OpenResources.refuseMistakes(in: all.all, until: process.stop.event)
        }
        let owners: [StateOwner]?
        do {
            owners = try await names
            _ = try await hasNoMistakes
        } catch {
            await close(all)
            throw error
        }
        await close(all)
        return owners
    }

    /// What does not close in time closes meanwhile.
    private func close(_ resources: OpenResources) async {
        _ = try? await answer(within: .seconds(1)) { await resources.close() }
    }

    /// `nil` if there is none in time.
    private func answer<Value: Sendable>(
        within limit: Duration = questionTime,
        _ question: @escaping @Sendable () async throws -> Value
    ) async throws -> Value? {
        let answer: Result<Value, any Error>? = await abandoned(
            after: { try await PipelineClock.system.sleep(for: limit) }
        ) {
            do { return .success(try await question()) } catch { return .failure(error) }
        }
        return try answer?.get()
    }

    /// Looks at the addresses that this process does not listen on yet.
    private func refuseTakenAddresses(
        among definitions: [PipelineDefinition], in opened: [[ResourceName: any Resource]]
    ) async throws {
        if process.options.role == .worker { return }
        let ports = Set(running.all.flatMap(\.listeningPorts).map(\.port))
        for (definition, opened) in zip(definitions, opened) {
            for (name, port) in definition.listeningPorts where !ports.contains(port) {
                _ = try await opened[name]?.inspect(for: [], timeout: Self.questionTime)
            }
        }
    }

    /// Looks whether the ledgers answer: pipelines whose ledger does not can't begin, and those
    /// that run are better than none.
    private func refuseSilence(
        of definitions: [PipelineDefinition], in opened: [[ResourceName: any Resource]]
    ) async throws {
        for (definition, opened) in zip(definitions, opened) {
            for (resource, ledger) in definition.ledgerUses {
                guard let store = opened[resource] as? any StandardStore, store.isThere else {
                    continue
                }
                let place = definition.resource(resource)?.address.description ?? resource.text
                let silence = PipelineError.retryable(
                    .storeUnavailable,
                    "the ledger of \(ledger) in \(place) does not answer, and so the new files can't begin: try again when it does"
                )
                let answered: [StageState]?
                do {
                    answered = try await answer(within: Self.silence) { try await store.stages() }
                } catch let error as PipelineError where error.backend != nil {
                    throw PipelineError.retryable(
                        silence.code, "\(silence.message) (\(error.message))", cause: error)
                } catch {
                    // What else is wrong is said by whoever needs it.
                    continue
                }
                if answered == nil { throw silence }
            }
        }
    }

    /// Looks whether the stores hold open work that would have no owner. What is on its way to a
    /// sink that is going to be gone may be there a moment later.
    private func refuseStranding(
        by definitions: [PipelineDefinition], _ owners: [StateOwner],
        in opened: [[ResourceName: any Resource]]
    ) async throws {
        let clock = PipelineClock.system
        let end = clock.now.advanced(by: Self.questionTime / 2)
        for (definition, opened) in zip(definitions, opened) {
            for (resource, ledger) in definition.ledgerUses {
                guard let store = opened[resource] as? any StandardStore, store.isThere else {
                    continue
                }
                while true {
                    let ownership = StateOwnership(
                        owners: owners, stored: (try? await store.stages()) ?? [],
                        isExclusive: store.migratesItself)
                    do {
                        try ownership.check(pipeline: ledger.pipeline, stage: ledger.part ?? "")
                        break
                    } catch  where clock.now < end {
                        try await clock.sleep(for: Self.secondLook)
                    }
                }
            }
        }
    }

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
        ledgerUses.compactMap { use, name in
            resource(use).map { KeptLedger(name: name, address: $0.address) }
        }
    }

    /// The stages that keep a ledger, each with the resource where it does.
    fileprivate var ledgerUses: [(resource: ResourceName, stage: StateName)] {
        stages.flatMap { stage in
            stage.contract.uses.compactMap { use in
                guard case .keepsLedger = use.purpose else { return nil }
                return (use.resource, StateName(pipeline: name, part: stage.id))
            }
        }
    }

    /// Where callers are listened to; a port is the same one on whatever interface.
    fileprivate var listeningPorts: [(resource: ResourceName, port: Substring)] {
        resources.filter { $0.kinds.contains(.api) }.map { resource in
            let rest = resource.address.rest
            return (resource.name, rest[(rest.lastIndex(of: ":") ?? rest.startIndex)...])
        }
    }
}
