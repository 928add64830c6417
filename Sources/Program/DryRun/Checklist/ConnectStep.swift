internal import ConfigurationFields
internal import DryRunReport
internal import PipelineConfiguration
internal import PipelineCore
internal import Synchronization

/// Whether the backends are there and have what the pipeline needs. Looks at all of them at once,
/// and changes nothing.
struct ConnectStep {
    private let definition: PipelineDefinition
    private let catalogue: Catalogue
    private let context: ResourceContext
    private let timeout: Duration
    private let opened = OpenedResources()

    init(
        definition: PipelineDefinition, catalogue: Catalogue, context: ResourceContext,
        timeout: Duration
    ) {
        self.definition = definition
        self.catalogue = catalogue
        self.context = context
        self.timeout = timeout
    }

    func checks() async -> [DryRunCheck] {
        let owners = await owners()
        let inspections = inspections(owners: owners)
        if inspections.isEmpty {
            return [DryRunCheck(.connect, "", .ok, "the pipeline uses no backend")]
        }
        let found = await withTaskGroup(of: (Int, [ResourceFinding]).self) { group in
            for (index, inspection) in inspections.enumerated() {
                group.addTask { (index, await findings(of: inspection)) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        let positions = await PositionStep(
            definition: definition, owners: owners, opened: opened.resources, timeout: timeout,
            clock: context.clock
        ).checks()
        await opened.close(within: limit, clock: context.clock)
        return inspections.indices.flatMap { index in
            (found[index] ?? []).map { $0.check(of: inspections[index].subject) }
        } + positions
    }

    /// A resource knows better than the clock why nobody answered: it gets to say so first.
    private var limit: Duration { timeout + timeout / 4 + .milliseconds(250) }

    /// One for each address, however many names it has, in the file's order; then the generators.
    private func inspections(owners: [StateOwner]) -> [Inspection] {
        var found: [Inspection] = []
        for resource in definition.resources {
            if let known = found.firstIndex(where: { $0.address == resource.address }) {
                found[known].names.append(resource.name)
            } else {
                found.append(
                    Inspection(target: .resource(resource.address), names: [resource.name]))
            }
        }
        for stage in definition.stages {
            for use in stage.contract.uses {
                guard let index = found.firstIndex(where: { $0.names.contains(use.resource) })
                else { continue }
                for need in needs(of: use, by: stage, owners)
                where !found[index].needs.contains(need) {
                    found[index].needs.append(need)
                }
            }
            if let written = (stage.settings as? any GeneratingStage)?.generator,
                let inspect = catalogue.generator(written)?.inspect
            {
                found.append(
                    Inspection(
                        target: .generator(written, inspect),
                        names: [.init(stringLiteral: stage.id)]))
            }
        }
        return found
    }

    /// Whose state the pipeline may have, as far as its buses tell which logs it reads.
    private func owners() async -> [StateOwner] {
        var buses: [ResourceName: any Resource] = [:]
        for bus in definition.resources where bus.kinds.contains(.bus) {
            buses[bus.name] = try? opened.open(bus.address, catalogue, context)
        }
        let asked = buses
        let found = await within(limit, clock: context.clock) {
            await definition.stateOwners(in: asked, within: timeout)
        }
        return found ?? definition.stateOwners
    }

    private func needs(
        of use: ResourceUse, by stage: StageDefinition, _ owners: [StateOwner]
    ) -> [ResourceNeed] {
        use.needs(pipeline: definition.name, stage: stage.id).map { need in
            guard case .ledger(var ledger) = need else { return need }
            ledger.owners = owners
            return .ledger(ledger)
        }
    }

    private func findings(of inspection: Inspection) async -> [ResourceFinding] {
        let found = await within(limit, clock: context.clock) {
            await look(at: inspection)
        }
        return found
            ?? inspection.failed(
                ResourceFinding(
                    .unreachable, "\(inspection.place): no answer within \(timeout.text)",
                    hint: "--timeout gives it longer"))
    }

    private func look(at inspection: Inspection) async -> [ResourceFinding] {
        switch inspection.target {
        case .generator(let written, let inspect): return await inspect(written, timeout)
        case .resource(let address):
            do {
                guard let resource = try opened.open(address, catalogue, context)
                else { return [] }
                let found: [ResourceFinding]
                do {
                    found = try await resource.inspect(for: inspection.needs, timeout: timeout)
                } catch {
                    await resource.close()
                    throw error
                }
                opened.add(resource, at: address)
                return found.map { finding in
                    var finding = finding
                    if finding.subject.isEmpty { finding.detail = "\(address): \(finding.detail)" }
                    return finding
                }
            } catch {
                return inspection.failed(ResourceFinding(failure: error))
            }
        }
    }
}

/// Whether the topics that are read are still those that the stored positions belong to. Says
/// nothing where they are, or where nobody can tell: the resources themselves have been looked at
/// before.
struct PositionStep {
    let definition: PipelineDefinition
    let owners: [StateOwner]
    let opened: [ResourceAddress: any Resource]
    let timeout: Duration
    let clock: PipelineClock

    func checks() async -> [DryRunCheck] {
        var checks: [DryRunCheck] = []
        for use in definition.stages.flatMap(\.contract.uses) {
            guard let topic = use.topic, topic.direction == .reads,
                let bus = resource(use.resource) as? any LogInspection
            else { continue }
            let found = await within(timeout, clock: clock) {
                try? await bus.contradiction(in: topic.name, timeout: timeout) { log in
                    try await stored(log)
                }
            }
            guard let contradiction = found ?? nil else { continue }
            checks.append(finding(contradiction, topic).check(of: use.resource.text))
        }
        return checks + (await repeats())
    }

    /// What another stage has stored already, which this one would store again.
    private func repeats() async -> [DryRunCheck] {
        var named: [ResourceName: any Resource] = [:]
        for resource in definition.resources { named[resource.name] = opened[resource.address] }
        let (all, limit) = (named, timeout)
        let found = await within(timeout, clock: clock) {
            await definition.repeatedStoring(among: owners, in: all, within: limit)
        }
        return (found ?? []).map { store, objection in
            ResourceFinding("events", .wrong, objection.problem, hint: objection.remedy)
                .check(of: store.text)
        }
    }

    private func finding(
        _ contradiction: LogContradiction, _ topic: TopicUse
    ) -> ResourceFinding {
        let detail = "is not the log that was read: \(contradiction)"
        if topic.beginsAnew {
            return ResourceFinding(
                "topic \(topic.name)", .ok,
                "\(detail); `run` reads it from its start, and counts events that it has read before again"
            )
        }
        return ResourceFinding(
            "topic \(topic.name)", .wrong, detail,
            hint: "bring the old one back, or add \"on_new_topic\": \"from_start\" to the input")
    }

    private func stored(_ log: LogName) async throws -> StoredPositions? {
        for address in definition.resources.map(\.address) {
            guard let store = opened[address] as? any PositionInspection else { continue }
            let found = try await store.storedPositions(
                of: log, pipeline: definition.name, timeout: timeout)
            if let found { return found }
        }
        return nil
    }

    private func resource(_ name: ResourceName) -> (any Resource)? {
        definition.resources.first { $0.name == name }.flatMap { opened[$0.address] }
    }
}

/// Resources that have been looked at, until all is told about them.
final class OpenedResources: Sendable {
    private struct State {
        /// Opened, and not yet looked at.
        var opened: [ResourceAddress: any Resource] = [:]
        var held: [ResourceAddress: any Resource] = [:]
    }
    private let state = Mutex(State())

    var resources: [ResourceAddress: any Resource] { state.withLock { $0.held } }

    /// The resource at an address, opened once; `nil` without a connector.
    func open(
        _ address: ResourceAddress, _ catalogue: Catalogue, _ context: ResourceContext
    ) throws -> (any Resource)? {
        try state.withLock { state in
            if let known = state.opened[address] { return known }
            let resource = try catalogue.connector(address.scheme)?.open(address, context)
            state.opened[address] = resource
            return resource
        }
    }

    func add(_ resource: any Resource, at address: ResourceAddress) {
        state.withLock { $0.held[address] = resource }
    }

    func close(within limit: Duration, clock: PipelineClock) async {
        for resource in resources.values {
            _ = await within(limit, clock: clock) { await resource.close() }
        }
    }
}
