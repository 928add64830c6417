internal import CommandLineInterface
internal import DryRunReport
internal import Logging
internal import PipelineConfiguration
internal import PipelineCore
internal import StandardCatalogue

/// What a pipeline's stores and buses keep for an operator, opened beside whoever runs it.
struct DeadLetterAccess: DeadLetterOperations {
    /// Records of a store that are replayed between two removals.
    private static let step = 64

    let definition: PipelineDefinition
    private let actor: String
    private let resources: [ResourceName: any Resource]
    private let stores: [any DeadLetterStore]
    private let topics: TopicLetters
    private let barriers: [BarrierAccess]
    private let opened: OpenResources
    private let logger: Logger?

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
        // The store that `run` keeps dead letters in.
        let first = resources.sorted { $0.key.text < $1.key.text }
            .lazy.compactMap { $0.value as? any DeadLetterProvider }.first
        topics = TopicLetters(
            definition, resources, marks: first?.deadLetters(of: definition.name))
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
            if let selection = selected.stored {
                try await self.replay(selection, by: replay, &result)
            }
            try await topics.forEach(chosen) { opened, letters in
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
                try await topics.settle(
                    ours.filter { sent.contains(.topic($0.place)) }, in: &opened)
                result.count += sent.count
            }
        } catch {
            await replay.close()
            throw Self.failure(error, after: "\(result.count) replayed", result.count)
        }
        await replay.close()
        return result
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
                let sent = try await replay.send(
                    letters.map {
                        .init(
                            id: .stored($0.number), resource: $0.resource,
                            record: $0.rejection.record)
                    }, &result)
                let numbers = letters.map(\.number).filter { sent.contains(.stored($0)) }
                if !numbers.isEmpty {
                    result.count += try await store.removeDeadLetters(
                        DeadLetterSelection(numbers: numbers))
                }
                selection.after = last.number
            }
        }
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
                try await topics.settle(letters, in: &opened)
                count += letters.count
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
        var (here, cursor) = (place ?? .sink, PageCursor())
        if let token {
            guard let parsed = PageCursor.parse(token), place == nil || place == parsed.place else {
                throw CommandFailure(.usage, "\"\(token.prefix(100))\" is no token of a page")
            }
            (here, cursor) = parsed
        }
        var page =
            switch here {
            case .sink: try await outcomes(filter, from: cursor, limit: limit)
            case .store: try await records(filter, from: cursor, limit: limit)
            case .topic: try await letters(filter, from: cursor, limit: limit)
            }
        if let next = page.next {
            page.next = "\(here.rawValue)/\(next)"
        } else if place == nil, let following = here.following {
            page.next = "\(following.rawValue)/\(PageCursor())"
        }
        return page
    }

    private func outcomes(
        _ filter: DeadLetterFilter, from cursor: PageCursor, limit: Int
    ) async throws -> DeadLetterPage {
        var page = DeadLetterPage()
        var selection = filter.parked
        selection.after = cursor.parked
        for (index, ledger) in ledgers.enumerated().dropFirst(cursor.index) {
            let found = try await ledger.parked(selection, limit: limit - page.letters.count)
            page.letters += found.map(DeadLetterEntry.outcome)
            if page.letters.count >= limit, let last = found.last {
                page.next = "\(PageCursor(after: last.place, in: index))"
                break
            }
            selection.after = nil
        }
        return page
    }

    private func records(
        _ filter: DeadLetterFilter, from cursor: PageCursor, limit: Int
    ) async throws -> DeadLetterPage {
        var page = DeadLetterPage()
        var selection = filter.stored
        selection.after = cursor.offset
        var bytes = 0
        for (index, store) in stores.enumerated().dropFirst(cursor.index) {
            while true {
                // Few at a time: payloads may be large.
                let step = min(16, limit - page.letters.count)
                let found = try await store.deadLetters(selection, limit: step)
                guard let last = found.last else { break }
                page.letters += found.map(DeadLetterEntry.stored)
                bytes += page.letters.suffix(found.count).reduce(0) { $0 + $1.byteCount }
                selection.after = last.number
                if page.letters.count >= limit || bytes >= DeadLetterPage.bytes {
                    page.next = "\(PageCursor(index: index, offset: last.number))"
                    return page
                }
            }
            selection.after = 0
        }
        return page
    }

    private func letters(
        _ filter: DeadLetterFilter, from cursor: PageCursor, limit: Int
    ) async throws -> DeadLetterPage {
        let (letters, next) = try await topics.page(
            filter,
            from: TopicLetters.Cursor(
                topic: cursor.index, partition: cursor.partition, offset: cursor.offset),
            limit: limit)
        let cursor = next.map {
            PageCursor(index: $0.topic, partition: $0.partition, offset: $0.offset)
        }
        return DeadLetterPage(
            letters: letters.map(DeadLetterEntry.topic), next: cursor.map { "\($0)" })
    }
}

/// Where a list goes on in a place: in which ledger, store or topic, and behind what there.
private struct PageCursor: CustomStringConvertible {
    var index = 0
    var partition: Int32 = 0
    var offset: Int64 = 0
    var parked: ParkedPlace?

    init(index: Int = 0, partition: Int32 = 0, offset: Int64 = 0) {
        self.index = index
        self.partition = partition
        self.offset = offset
    }

    init(after parked: ParkedPlace, in index: Int) {
        self.init(index: index)
        self.parked = parked
    }

    var description: String {
        let rest = parked.map {
            "/\($0.parkedAt.microseconds)/\($0.batch)/\($0.number)/\($0.sink)"
        }
        return "\(index)/\(partition)/\(offset)\(rest ?? "")"
    }

    static func parse(_ token: String) -> (place: LetterPlace, cursor: PageCursor)? {
        let parts = token.split(separator: "/", maxSplits: 7, omittingEmptySubsequences: false)
        guard parts.count == 4 || parts.count == 8,
            let place = LetterPlace(rawValue: String(parts[0])),
            let index = Int(parts[1]), index >= 0, let partition = Int32(parts[2]),
            let offset = Int64(parts[3])
        else { return nil }
        var cursor = PageCursor(index: index, partition: partition, offset: offset)
        if parts.count == 8 {
            guard let at = Int64(parts[4]), let batch = Int64(parts[5]),
                let number = Int64(parts[6])
            else { return nil }
            cursor.parked = ParkedPlace(
                parkedAt: Timestamp(microseconds: at), batch: batch, number: number,
                sink: String(parts[7]))
        }
        return (place, cursor)
    }
}

extension LetterPlace {
    fileprivate var following: LetterPlace? {
        let all = Self.allCases
        return all.firstIndex(of: self).flatMap { $0 + 1 < all.count ? all[$0 + 1] : nil }
    }
}
