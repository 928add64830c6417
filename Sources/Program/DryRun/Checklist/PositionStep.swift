internal import DryRunReport
internal import PipelineConfiguration
internal import PipelineCore
internal import Synchronization

/// Whether the topics that are read are still those that the stored positions belong to. Says
/// nothing where they are, or where nobody can tell: the resources themselves have been looked at
/// before.
struct PositionStep {
    let definition: PipelineDefinition
    let opened: [ResourceAddress: any Resource]
    let timeout: Duration
    let clock: PipelineClock

    func checks() async -> [DryRunCheck] {
        var checks: [DryRunCheck] = []
        for use in definition.stages.flatMap(\.contract.uses) {
            guard let topic = use.topic, topic.direction == .reads,
                let bus = resource(use.resource) as? any LogInspection
            else { continue }
            let found = await Deadline.within(timeout, clock: clock) {
                try? await bus.contradiction(in: topic.name, timeout: timeout) { log in
                    try await stored(log)
                }
            }
            guard let contradiction = found ?? nil else { continue }
            checks.append(finding(contradiction, topic).check(of: use.resource.text))
        }
        return checks
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
    private let held = Mutex<[ResourceAddress: any Resource]>([:])

    var resources: [ResourceAddress: any Resource] { held.withLock { $0 } }

    func add(_ resource: any Resource, at address: ResourceAddress) {
        held.withLock { $0[address] = resource }
    }

    func close(within limit: Duration, clock: PipelineClock) async {
        for resource in resources.values {
            _ = await Deadline.within(limit, clock: clock) { await resource.close() }
        }
    }
}
