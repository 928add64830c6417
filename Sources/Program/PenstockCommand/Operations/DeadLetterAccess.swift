internal import CommandLineInterface
internal import DryRunReport
internal import Logging
internal import PipelineConfiguration
internal import PipelineCore
internal import StandardCatalogue
internal import Synchronization

/// What a pipeline's stores and buses keep for an operator, opened beside whoever runs it.
struct DeadLetterAccess: DeadLetterOperations {
    /// Records that are replayed or dropped between two removals.
    private static let step = 64
    /// After that time a page ends, with what it has.
    private static let pageTime = Duration.seconds(5)

    let definition: PipelineDefinition
    private let actor: String
    private let resources: [ResourceName: any Resource]
    private let stores: [any DeadLetterStore]
    private let topics: TopicLetters
    private let barriers: [BarrierAccess]
    private let opened: OpenResources
    private let logger: Logger?
    private let lastList = LastList()

    /// - Parameters:
    ///   - actor: who asks: `user@host`, or what an admin service knows of its caller.
    ///   - logger: tells of changes to a pipeline without a ledger, which keeps none.
    /// - Throws: ``CommandFailure`` when there is nothing to look into.
    init(
        _ definition: PipelineDefinition, by actor: String, catalogue: Catalogue,
        logger: Logger? = nil
    ) async throws {
        var barriers: [BarrierAccess] = []
        for stage in definition.stages where stage.role == .barrier {
            guard !stage.contract.uses.isEmpty else { continue }
            barriers.append(
                try await BarrierAccess.open(definition, stage: stage.id, catalogue: catalogue))
        }
        var opened = OpenResources(
            catalogue: catalogue,
            context: ResourceContext(
                clock: .system, random: RandomSource(),
                logger: Logger(label: "penstock", level: .warning), isRunning: false))
        resources = try opened.open(definition)
        try opened.refuseMissing([definition])
        // Looking makes no store.
        stores = opened.all.filter { ($0 as? any StandardStore)?.isThere != false }
            .compactMap { $0 as? any DeadLetterProvider }.map {
                $0.deadLetters(of: definition.name)
            }
        topics = TopicLetters(definition, resources)
        self.definition = definition
        self.actor = actor
        self.barriers = barriers
        self.opened = opened
        self.logger = logger
    }

    private var ledgers: [any Ledger] { barriers.map(\.barrier.ledger) }

    func close() async {
        await opened.close()
        for barrier in barriers { await barrier.resources.close() }
    }

    /// Kept by every ledger of the pipeline.
    private func note(_ action: String) async throws {
        for ledger in ledgers { try await ledger.note(String(action.prefix(2_000)), by: actor) }
        if ledgers.isEmpty {
            logger?.notice(
                "operator: \(action)",
                metadata: ["actor": "\(actor)", "pipeline": "\(definition.name)"])
        }
    }

    // MARK: Moving

    func replay(_ chosen: ChosenLetters) async throws -> DeadLetterReplayed {
        try await refuseUnknown(chosen.stage)
        let selected = try await Selected(chosen, in: ledgers)
        try await note("replay of dead letters: \(chosen.text)")
        var result = DeadLetterReplayed()
        for ledger in ledgers {
            for selection in selected.parked {
                result.count += try await ledger.replayParked(selection)
            }
        }
        let replay = DeadLetterReplay(resources: resources, file: definition.file)
        do {
            if case .all(let filter) = chosen {
                try await replayAll(filter, by: replay, &result)
            } else {
                if let selection = selected.stored {
                    try await self.replay(selection, by: replay, &result)
                }
                try await topics.forEach(chosen) { opened, letters in
                    try await self.replay(letters, in: &opened, by: replay, &result)
                }
            }
        } catch {
            await replay.close()
            throw Self.failure(error, after: "\(result.count) replayed", result.count)
        }
        await replay.close()
        return result
    }

    /// The oldest first, wherever they lie. What comes into a topic meanwhile is not among them.
    private func replayAll(
        _ filter: DeadLetterFilter, by replay: DeadLetterReplay, _ result: inout DeadLetterReplayed
    ) async throws {
        var opened = try await topics.opened()
        var merge = LetterMerge(kept(filter) + topics.sources(opened, filter))
        while true {
            let letters = try await merge.next(limit: Self.step)
            if letters.isEmpty { return }
            for (index, store) in stores.enumerated() {
                let some = letters.filter { $0.source == index }.map(\.letter).stored
                try await self.replay(some, of: store, by: replay, &result)
            }
            for index in opened.indices {
                let some = letters.map(\.letter).inTopics.filter(opened[index].holds)
                if some.isEmpty { continue }
                try await self.replay(some, in: &opened[index], by: replay, &result)
            }
        }
    }

    private func replay(
        _ selection: DeadLetterSelection, by replay: DeadLetterReplay,
        _ result: inout DeadLetterReplayed
    ) async throws {
        var selection = selection
        for store in stores {
            selection.after = 0
            while true {
                let letters = try await store.deadLetters(selection, limit: Self.step)
                guard let last = letters.last else { break }
                try await self.replay(letters, of: store, by: replay, &result)
                selection.after = last.number
            }
        }
    }

    private func replay(
        _ letters: [StoredDeadLetter], of store: any DeadLetterStore, by replay: DeadLetterReplay,
        _ result: inout DeadLetterReplayed
    ) async throws {
        let sent = try await replay.send(
            letters.map {
                .init(id: .stored($0.number), resource: $0.resource, record: $0.rejection.record)
            }, &result)
        let numbers = letters.map(\.number).filter { sent.contains(.stored($0)) }
        if numbers.isEmpty { return }
        result.count += try await store.removeDeadLetters(DeadLetterSelection(numbers: numbers))
    }

    private func replay(
        _ letters: [TopicLetter], in opened: inout TopicLetters.Opened,
        by replay: DeadLetterReplay, _ result: inout DeadLetterReplayed
    ) async throws {
        try topics.checkRoom(for: letters, in: opened)
        for letter in letters where letter.rejection == nil {
            result.stuck(
                "letter \(letter.place) can't be replayed: it is none of Penstock's, which would say where it came from"
            )
        }
        let ours = letters.filter { $0.rejection != nil }
        let sent = try await replay.send(
            ours.compactMap { letter in
                letter.rejection.map {
                    .init(
                        id: .topic(letter.place), resource: letter.place.resource,
                        record: $0.record)
                }
            }, &result)
        if sent.isEmpty { return }
        // Only now, that their topic has them.
        result.count += try await topics.settle(
            ours.filter { sent.contains(.topic($0.place)) }, in: &opened)
    }

    func drop(_ chosen: ChosenLetters) async throws -> Int {
        try await refuseUnknown(chosen.stage)
        let selected = try await Selected(chosen, in: ledgers)
        try await note("drop of dead letters: \(chosen.text)")
        var count = 0
        for ledger in ledgers {
            for selection in selected.parked { count += try await ledger.dropParked(selection) }
        }
        if let selection = selected.stored {
            for store in stores { count += try await store.removeDeadLetters(selection) }
        }
        do {
            try await topics.forEach(chosen) { opened, letters in
                try topics.checkRoom(for: letters, in: opened)
                count += try await topics.settle(letters, in: &opened)
            }
        } catch {
            throw Self.failure(error, after: "\(count) dropped", count)
        }
        return count
    }

    /// Says what had been done before something failed.
    private static func failure(_ error: any Error, after done: String, _ count: Int) -> any Error {
        switch error {
        case let failure as CommandFailure where count > 0:
            CommandFailure(failure.code, "\(done); \(failure.message)")
        case let error as PipelineError where count > 0:
            CommandFailure(error.exitCode, "\(done); \(error.description)")
        default: error
        }
    }

    /// What is chosen of ledgers and stores.
    private struct Selected {
        /// One for all, or one for each sink and revision.
        var parked: [ParkedSelection] = []
        var stored: DeadLetterSelection?

        init(_ chosen: ChosenLetters, in ledgers: [any Ledger]) async throws {
            switch chosen {
            case .all(let filter):
                parked = [filter.parked]
                stored = filter.stored
            case .ids(let ids):
                var numbers: [Int64] = []
                for id in ids {
                    switch id {
                    case .stored(let number): numbers.append(number)
                    case .outcome(let sink, let id, let revision):
                        var selection = ParkedSelection(sink: sink, cases: [id])
                        selection.revision = revision
                        if revision == nil { try await Self.checkOne(selection, in: ledgers) }
                        let group = parked.firstIndex {
                            $0.sink == sink && $0.revision == revision
                        }
                        if let group {
                            parked[group].cases?.append(id)
                        } else {
                            parked.append(selection)
                        }
                    case .topic: break
                    }
                }
                stored = numbers.isEmpty ? nil : DeadLetterSelection(numbers: numbers)
            }
        }

        /// - Throws: ``CommandFailure`` `usage` when the id of an earlier version names several.
        private static func checkOne(
            _ selection: ParkedSelection, in ledgers: [any Ledger]
        ) async throws {
            var found: [ParkedOutcome] = []
            for ledger in ledgers { found += try await ledger.parked(selection, limit: 10) }
            guard found.count > 1 else { return }
            let ids = found.map { "\(DeadLetterEntry.outcome($0).id)" }
            throw CommandFailure(
                .usage,
                "the sink has refused several outcomes of that case: name one of \(ids.joined(separator: ", "))"
            )
        }
    }
}

// MARK: Looking

extension DeadLetterAccess {
    func letter(_ id: DeadLetterID) async throws -> DeadLetterEntry? {
        if case .topic(let place) = id {
            return try await topics.letter(place).map(DeadLetterEntry.topic)
        }
        let selected = try await Selected(.ids([id]), in: ledgers)
        for ledger in ledgers {
            for selection in selected.parked {
                if let found = try await ledger.parked(selection, limit: 1).first {
                    return .outcome(found)
                }
            }
        }
        for store in stores {
            guard let selection = selected.stored else { continue }
            if let found = try await store.deadLetters(selection, limit: 1).first {
                return .stored(found)
            }
        }
        return nil
    }

    func found(
        in place: LetterPlace?, _ filter: DeadLetterFilter, after token: String?, limit: Int
    ) async throws -> DeadLetterPage {
        let clock = PipelineClock.system
        let deadline = clock.now.advanced(by: Self.pageTime)
        var list = try await list(of: place, filter, after: token)
        var (page, bytes) = (DeadLetterPage(), 0)
        var isInTime = true
        while isInTime, page.letters.count < limit, bytes < DeadLetterPage.bytes {
            guard case .letter(let letter, _) = try await list.merge.next(before: deadline) else {
                break
            }
            page.letters.append(letter)
            bytes += letter.byteCount
            isInTime = clock.now < deadline
        }
        if try await list.merge.hasMore(before: deadline) { page.next = list.merge.token }
        page.total = list.total
        lastList.keep(page.next == nil ? nil : list)
        return page
    }

    /// What is listed, as far as it has been handed out.
    fileprivate struct List: Sendable {
        var merge: LetterMerge
        let total: Int?
        let place: LetterPlace?
        let filter: DeadLetterFilter
    }

    /// The list of which a page has been handed out, and more may be asked for.
    final class LastList: Sendable {
        private let list = Mutex<List?>(nil)
        fileprivate func take() -> List? { list.withLock { $0.take() } }
        fileprivate func keep(_ list: List?) { self.list.withLock { $0 = list } }
    }

    /// Goes on with the one that was listed last, if that is meant.
    private func list(
        of place: LetterPlace?, _ filter: DeadLetterFilter, after token: String?
    ) async throws -> List {
        if let token, let last = lastList.take(), last.merge.token == token,
            last.place == place, last.filter == filter
        {
            return last
        }
        func isWanted(_ other: LetterPlace) -> Bool { place == nil || place == other }
        var sources: [any LetterSource] = []
        var total: Int? = filter.isEverything ? 0 : nil
        if isWanted(.sink) {
            for (index, ledger) in ledgers.enumerated() {
                sources.append(
                    ParkedLetters(name: "sink/\(index)", ledger: ledger, filter: filter))
                if let known = total {
                    total = try await ledger.parkedCounts().values.reduce(known, +)
                }
            }
        }
        if isWanted(.store) {
            sources += kept(filter)
            for store in stores {
                if let known = total {
                    total = try await store.deadLetterCounts().values.reduce(known, +)
                }
            }
        }
        if isWanted(.topic) {
            let opened = try await topics.opened()
            sources += topics.sources(opened, filter)
            total = total.map {
                $0 + TopicLetters.count(opened, withSettled: filter.includesSettled)
            }
        }
        let merge = try token.map { try LetterMerge(sources, from: $0) } ?? LetterMerge(sources)
        return List(merge: merge, total: total, place: place, filter: filter)
    }

    private func kept(_ filter: DeadLetterFilter) -> [any LetterSource] {
        stores.enumerated().map { index, store in
            KeptLetters(name: "store/\(index)", store: store, filter: filter)
        }
    }
}
