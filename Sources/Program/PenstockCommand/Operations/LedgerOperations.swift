internal import CommandLineInterface
internal import DryRunReport
internal import Logging
internal import PipelineConfiguration
internal import PipelineCore
internal import StandardCatalogue

/// What operators do, done on the stage's ledger. Each change is noted there with who asked for it:
/// whoever runs the pipeline logs it.
struct LedgerOperations: StageOperations {
    let definition: PipelineDefinition
    let stage: String
    private let actor: String
    private let access: BarrierAccess

    /// How long a bus may take to say what it holds.
    private static let questionTime = Duration.seconds(10)

    var pipeline: String { definition.name }
    private var ledger: any Ledger { access.barrier.ledger }

    /// - Parameters:
    ///   - stage: the accumulate stage; the pipeline's only one where it is `nil`.
    ///   - actor: who asks: `user@host`, or what an admin service knows of its caller.
    /// - Throws: ``CommandFailure`` when there is no such stage, or its ledger does not know it.
    init(
        _ definition: PipelineDefinition, stage: String?, by actor: String, catalogue: Catalogue
    ) async throws {
        self.definition = definition
        self.stage = try stage ?? definition.onlyBarrier
        self.actor = actor
        access = try await BarrierAccess.open(definition, stage: self.stage, catalogue: catalogue)
    }

    func close() async { await access.resources.close() }

    func view(_ selection: BatchSelection, limit: Int) async throws -> StageView {
        try await StageView(access, of: pipeline, stage: stage, selection, limit: limit)
    }

    func history(of id: UUID) async throws -> (history: CaseHistory, view: StageView)? {
        guard let history = try await ledger.history(of: id) else { return nil }
        return (history, try await view(BatchSelection(numbers: []), limit: 0))
    }

    func cancel(_ ids: [UUID], reason: String) async throws -> Cancellation {
        let reason = reason.printable
        let ids = Set(ids).sorted { "\($0)" < "\($1)" }
        let named = ids.prefix(5).map(\.description).joined(separator: ", ")
        let more = ids.count > 5 ? " and \(ids.count - 5) more" : ""
        let owner = definition.stateOwners.first { $0.stage == stage }
        let cancelled = try await ledger.end(
            ids, as: .cancelled, reason: reason, sinks: owner?.sinks.sorted() ?? [])
        try await note(
            "cancellation of \(cancelled.counting("case", "cases")) of \(named)\(more): \(reason)")
        let snapshots = try await ledger.snapshots(of: ids)
        var others: [UUID: CaseState?] = [:]
        for id in ids where snapshots[id]?.state != .cancelled {
            var state = snapshots[id]?.state
            // Readers see the former outcome while a replay makes another one.
            if state == .succeeded {
                state = try await ledger.history(of: id)?.attempts.last?.state ?? state
            }
            others.updateValue(state, forKey: id)
        }
        return Cancellation(cancelled: cancelled, others: others)
    }

    func replay(batch: Int64) async throws -> BatchReplay {
        let replay = try await ledger.replay(batch: batch)
        try await note("replay of batch \(batch): \(replay.replayed.counting("case", "cases"))")
        return replay
    }

    func flush() async throws {
        try await access.barrier.flush(stage)
        try await note("flush of \(stage)")
    }

    func pause(_ target: PauseTarget, reason: String) async throws -> [String] {
        try target.refuseContradiction()
        let parts = try target.parts(of: definition.stages, in: definition.file)
        let reason = reason.printable
        try await note("pause of \(parts.spoken.joined(separator: ", ")): \(reason)")
        try await ledger.pause(parts, reason: "\(reason) (\(actor))")
        return parts.spoken
    }

    func resume(_ target: PauseTarget) async throws -> [String] {
        let (target, others) = target.split(by: definition.stages)
        var ended: [String] = []
        if !others.isEmpty {
            ended = try await definition.resume(others, by: actor, in: access.resources)
            if target.stages.isEmpty { return ended }
        }
        let paused = Set(try await ledger.pauses().keys)
        // What no file has any more belongs to everything, too.
        let parts =
            target.stages.isEmpty
            ? paused
            : try target.parts(of: definition.stages, in: definition.file).intersection(paused)
        if parts.isEmpty { return ended }
        try await note("end of the pause of \(parts.spoken.joined(separator: ", "))")
        try await ledger.resume(parts)
        return ended + parts.spoken
    }

    func positions() async throws -> [LogPositions] { try await ledger.logPositions() }

    func setPositions(_ wanted: [Int32: Int64], of log: String) async throws -> LogPositions {
        let stored = try await stored(log, [Int32](wanted.keys))
        try await refuseReading()
        try await refuseUnreadable(wanted, in: stored.log)
        let all = stored.next.merging(wanted) { $1 }
        let said = wanted.sorted { $0.key < $1.key }
            .map { "\($0.key) = \($0.value) (was \(stored.next[$0.key] ?? 0))" }
        // Under another source: whoever still reads from the old ones is fenced.
        try await ledger.restart(LogName(stored.log), after: stored.source, at: all)
        guard let moved = try await ledger.logPositions().last(where: { $0.log == stored.log }),
            moved.next == all
        else {
            throw CommandFailure(
                .failure, "the positions of \(stored.log) were changed by somebody else meanwhile")
        }
        try await note(
            "\(LedgerChange.positionsOf)\(stored.log): \(said.joined(separator: ", "))")
        return moved
    }

    /// What can't be read from there would stand still, or skip what nobody meant to skip. Only a
    /// bus that can't be asked at all is taken at its word.
    private func refuseUnreadable(_ wanted: [Int32: Int64], in log: String) async throws {
        let sources = definition.stages.filter { $0.role == .source }
        var read: [String] = []
        for use in sources.flatMap(\.contract.uses) {
            if let topic = use.topic, topic.direction == .reads {
                guard log == topic.name || log.hasSuffix("/\(topic.name)") else {
                    read.append("topic \(topic.name)")
                    continue
                }
                guard let bus = access.opened[use.resource] as? any TopicBrowsing else { return }
                let extent = try await bus.extent(of: topic.name, timeout: Self.questionTime)
                guard let extent else { continue }
                read.append(extent.log.key)
                guard [extent.log.key, extent.log.formerKey].contains(log) else { continue }
                return try refuse(
                    wanted.sorted { $0.key < $1.key }.lazy.compactMap {
                        extent.objection(to: $0.value, in: $0.key)
                    }.first)
            }
            guard let lines = access.opened[use.resource] as? any LineInput, lines.isSeekable
            else { continue }
            read.append(lines.name)
            guard lines.name == log else { continue }
            return try refuse(await lines.objection(toReadingFrom: wanted[0] ?? 0))
        }
        let found = read.isEmpty ? "none of them is there" : "here they are \(read.listed)"
        let advice = sources.first?.contract.uses.first.map { definition.advice(on: $0.resource) }
        throw CommandFailure(
            .usage,
            "\(log) is no input of \(definition.file): \(found). \(advice ?? "")")
    }

    private func refuse(_ objection: String?) throws {
        if let objection { throw CommandFailure(.usage, objection) }
    }

    /// The log of that name, or with a topic or file of that name.
    private func stored(_ log: String, _ partitions: [Int32]) async throws -> LogPositions {
        let all = try await ledger.logPositions()
        let found = all.filter { stored in
            stored.log == log || stored.log.hasSuffix("/\(log)") || stored.log.hasSuffix(":\(log)")
        }
        guard Set(found.map(\.log)).count == 1, let stored = found.last else {
            let known = all.map(\.log).listed
            if !found.isEmpty {
                throw CommandFailure(
                    .usage, "\"\(log)\" may be any of \(found.map(\.log).listed): name it whole")
            }
            throw CommandFailure(
                .usage,
                "\(pipeline)/\(stage) reads no log \"\(log)\""
                    + (known.isEmpty ? ": it has no positions yet" : "; there is \(known)"))
        }
        let unknown = partitions.filter { stored.next[$0] == nil }.sorted()
        guard unknown.isEmpty else {
            let known = stored.next.keys.sorted().map(String.init).joined(separator: ", ")
            throw CommandFailure(
                .usage,
                "\(stored.log) has no partition \(unknown[0]) that was ever read: there is \(known)"
            )
        }
        return stored
    }

    private func refuseReading() async throws {
        let paused = try await ledger.pauses()
        let reading = definition.stages.filter {
            $0.role == .source && paused[.intake($0.id)] == nil
        }
        guard let first = reading.first else { return }
        throw CommandFailure(
            .failure,
            "stage \(first.id) is not paused: positions are set while nothing is taken in. First: penstock pause \(definition.file) \(reading.map(\.id).joined(separator: " "))"
        )
    }

    func changes(limit: Int) async throws -> [LedgerChange] {
        try await ledger.changes(after: nil, limit: limit)
    }

    private func note(_ action: String) async throws {
        try await ledger.note(String(action.prefix(2_000)), by: actor)
    }
}

extension String {
    /// Without what a terminal would obey or take for the end of a line, and of a bounded length.
    var printable: String {
        String(
            String.UnicodeScalarView(
                unicodeScalars.prefix(1_000).map {
                    $0.properties.generalCategory == .control ? " " : $0
                }))
    }
}

extension [String] {
    /// For people, each once, in order.
    fileprivate var listed: String { Set(self).sorted().joined(separator: ", ") }
}

extension Set<LedgerPart> {
    /// For people, in order.
    fileprivate var spoken: [String] { map(\.spoken).sorted() }
}

extension PipelineDefinition {
    /// The stages' ids, for people.
    var stageNames: String { stages.map(\.id).joined(separator: ", ") }

    /// Ends the pauses that are kept under names that the pipeline does not have.
    ///
    /// - Returns: what goes on.
    /// - Throws: ``CommandFailure`` `usage` for a name under which none is kept.
    func resume(
        _ names: [String], by actor: String, in resources: OpenResources
    ) async throws -> [String] {
        let stores = resources.stores.filter(\.isThere)
        func resume(_ text: String, isTrial: Bool) async throws -> [String] {
            let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
            let name =
                parts.count == 2
                ? StateName(pipeline: parts[0], part: parts[1])
                : StateName(pipeline: name, part: text)
            var found: [String] = []
            for store in stores {
                found += try await store.resume(name, by: actor, isTrial: isTrial)
            }
            return found
        }
        for name in names where try await resume(name, isTrial: true).isEmpty {
            let known = stages.filter { $0.role != .transform }.map(\.id)
            throw PauseTarget.unknown(name, in: file, known.sorted())
        }
        var ended: [String] = []
        for name in names { ended += try await resume(name, isTrial: false) }
        return ended
    }

    /// The same, in stores that are opened for it.
    func resume(
        _ names: [String], by actor: String, catalogue: Catalogue
    ) async throws -> [String] {
        var resources = OpenResources(
            catalogue: catalogue,
            context: ResourceContext(
                clock: .system, random: RandomSource(),
                logger: Logger(label: "penstock", level: .warning), isRunning: false))
        _ = try resources.open(self)
        try resources.refuseMissing([self])
        do {
            let ended = try await resume(names, by: actor, in: resources)
            await resources.close()
            return ended
        } catch {
            await resources.close()
            throw error
        }
    }

    /// - Throws: ``CommandFailure`` `usage` when there is none, or more than one.
    var onlyBarrier: String {
        get throws {
            let barriers = stages.filter { $0.role == .barrier }.map(\.id)
            guard barriers.count == 1 else {
                throw CommandFailure(
                    .usage,
                    barriers.isEmpty
                        ? "\(file) has no accumulate stage, and so no batches, and no ledger that would keep a pause: to hold up what it reads, stop the process that runs it (it goes on from there when it starts again; run it in a process of its own to stop nothing else)"
                        : "\(file) has several accumulate stages: choose by --stage \(barriers.joined(separator: "|"))"
                )
            }
            return barriers[0]
        }
    }
}
