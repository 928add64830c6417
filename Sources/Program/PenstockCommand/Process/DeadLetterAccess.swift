internal import CommandLineInterface
internal import DryRunReport
internal import LocatedJSON
internal import Logging
internal import PipelineConfiguration
internal import PipelineCore
internal import StandardCatalogue

/// What a pipeline's stores keep for an operator, opened beside whoever runs it.
struct DeadLetterAccess: Sendable {
    /// One letter, of either kind.
    enum Letter: Sendable {
        case outcome(ParkedOutcome)
        case record(StoredDeadLetter)
    }

    /// Which letters are meant.
    struct Selected: Sendable {
        fileprivate var records: DeadLetterSelection?
        /// One for each sink, or one for all.
        fileprivate var outcomes: [ParkedSelection]
        /// When outcomes were parked.
        fileprivate var parked: (from: Timestamp?, before: Timestamp?) = (nil, nil)
        /// As it was asked for.
        fileprivate let text: String

        init(_ choice: DeadLetterChoice) {
            let filters = [
                choice.stage.map { "of \($0)" }, choice.code.map { "refused for \($0)" },
                choice.olderThan.map { "older than \($0.spoken)" },
                choice.newerThan.map { "newer than \($0.spoken)" },
            ].compactMap { $0 }
            text = (["all"] + filters).joined(separator: " ")
            let now = PipelineClock.system.timestamp
            var records = DeadLetterSelection(stage: choice.stage, code: choice.code)
            records.keptFrom = choice.newerThan.map { now.advanced(by: .zero - $0) }
            records.keptBefore = choice.olderThan.map { now.advanced(by: .zero - $0) }
            self.records = records
            outcomes = [ParkedSelection(sink: choice.stage, code: choice.code)]
            parked = (records.keptFrom, records.keptBefore)
        }

        /// - Throws: ``CommandFailure`` `usage` for what is no id.
        init(ids: [String]) throws {
            text =
                ids.prefix(5).joined(separator: ", ")
                + (ids.count > 5 ? " and \(ids.count - 5) more" : "")
            var numbers: [Int64] = []
            var cases: [String: [UUID]] = [:]
            for id in ids {
                let parts = id.split(separator: ":", omittingEmptySubsequences: false)
                if let number = Int64(id) {
                    numbers.append(number)
                } else if parts.count == 2, let item = UUID(parts[1]) {
                    cases[String(parts[0]), default: []].append(item)
                } else {
                    throw CommandFailure(.usage, "\"\(id)\" is no id: `list` tells them")
                }
            }
            records = numbers.isEmpty ? nil : DeadLetterSelection(numbers: numbers)
            outcomes = cases.sorted { $0.key < $1.key }.map {
                ParkedSelection(sink: $0.key, cases: $0.value)
            }
        }
    }

    /// How many outcomes are looked through by their age, at most.
    private static let mostOutcomes = 100_000
    /// Records that are replayed between two removals.
    private static let step = 64

    private let definition: PipelineDefinition
    private let resources: [ResourceName: any Resource]
    private let stores: [any DeadLetterStore]
    private let barriers: [BarrierAccess]
    private let opened: OpenResources

    /// - Throws: ``CommandFailure`` when the file is not in order.
    static func open(
        _ file: String, _ catalogue: Catalogue, _ console: Console
    ) async throws -> DeadLetterAccess {
        let definition = try PipelineFiles.read([file], catalogue: catalogue, console: console)[0]
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
        let resources = try opened.open(definition)
        try opened.refuseMissing([definition])
        return DeadLetterAccess(
            definition: definition, resources: resources,
            stores: opened.all.filter(isThere).compactMap { $0 as? any DeadLetterProvider }.map {
                $0.deadLetters(of: definition.name)
            }, barriers: barriers, opened: opened)
    }

    /// Looking makes no store.
    private static func isThere(_ resource: any Resource) -> Bool {
        (resource as? any StandardStore)?.isThere != false
    }

    /// Runs `body`, and closes everything.
    func using(_ body: () async throws -> Void) async throws -> ExitCode {
        do { try await body() } catch let error as PipelineError {
            throw CommandFailure(error.exitCode, error.description)
        }
        await opened.close()
        for barrier in barriers { await barrier.resources.close() }
        return .success
    }

    func letters(_ selected: Selected, limit: Int) async throws -> [Letter] {
        var found: [Letter] = []
        for ledger in barriers.map(\.barrier.ledger) {
            for selection in try await selections(selected, in: ledger) {
                found += try await ledger.parked(selection, limit: limit).map(Letter.outcome)
            }
        }
        if let selection = selected.records {
            for store in stores {
                found += try await store.deadLetters(selection, limit: limit).map(Letter.record)
            }
        }
        return found
    }

    /// What is selected, with cases named where an age is asked for.
    private func selections(
        _ selected: Selected, in ledger: any ParkedOutcomes
    ) async throws -> [ParkedSelection] {
        let (from, before) = selected.parked
        if from == nil, before == nil { return selected.outcomes }
        var cases: [String: [UUID]] = [:]
        for selection in selected.outcomes {
            for outcome in try await ledger.parked(selection, limit: Self.mostOutcomes)
            where from.map({ outcome.parkedAt >= $0 }) ?? true
                && before.map({ outcome.parkedAt < $0 }) ?? true
            { cases[outcome.sink, default: []].append(outcome.caseID) }
        }
        return cases.sorted { $0.key < $1.key }.map { sink, ids in
            ParkedSelection(sink: sink, code: selected.outcomes.first?.code, cases: ids)
        }
    }

    func letter(_ id: String) async throws -> Letter {
        guard let letter = try await letters(Selected(ids: [id]), limit: 1).first else {
            throw CommandFailure(.failure, "there is no letter \(id)")
        }
        return letter
    }

    /// - Throws: ``CommandFailure`` when some could not be replayed: after all others were.
    func replay(_ selected: Selected) async throws -> Int {
        try await note("replay of dead letters: \(selected.text)")
        var count = 0
        for ledger in barriers.map(\.barrier.ledger) {
            for selection in try await selections(selected, in: ledger) {
                count += try await ledger.replayParked(selection)
            }
        }
        guard var selection = selected.records else { return count }
        let replay = DeadLetterReplay(resources: resources, file: definition.file)
        for store in stores {
            selection.after = 0
            while true {
                let letters = try await store.deadLetters(selection, limit: Self.step)
                guard let last = letters.last else { break }
                let sent = try await replay.send(letters)
                if !sent.isEmpty {
                    count += try await store.removeDeadLetters(DeadLetterSelection(numbers: sent))
                }
                selection.after = last.number
            }
        }
        await replay.close()
        if let first = replay.stuck.first {
            let others =
                replay.stuck.count == 1 ? "" : "; nor can \(replay.stuck.count - 1) others"
            throw CommandFailure(.failure, "\(count) replayed; \(first)\(others)")
        }
        return count
    }

    /// Kept by every ledger of the pipeline; a chain without one keeps no changes.
    private func note(_ action: String) async throws {
        for barrier in barriers {
            try await barrier.barrier.ledger.note(action, by: ProcessEnvironment.user)
        }
    }

    func drop(_ selected: Selected) async throws -> Int {
        try await note("drop of dead letters: \(selected.text)")
        var count = 0
        for ledger in barriers.map(\.barrier.ledger) {
            for selection in try await selections(selected, in: ledger) {
                count += try await ledger.dropParked(selection)
            }
        }
        guard let selection = selected.records else { return count }
        for store in stores { count += try await store.removeDeadLetters(selection) }
        return count
    }
}

/// Hands records to the topics that they came from.
private final class DeadLetterReplay {
    private let resources: [ResourceName: any Resource]
    private let file: String
    private var producers: [String: any BusProducer] = [:]
    /// Why letters can't be replayed: a sentence each.
    private(set) var stuck: [String] = []

    init(resources: [ResourceName: any Resource], file: String) {
        self.resources = resources
        self.file = file
    }

    /// Answers the numbers of those that their topics have.
    func send(_ letters: [StoredDeadLetter]) async throws -> [Int64] {
        var sent: [Int64] = []
        let places = Dictionary(grouping: letters) { letter in
            [letter.resource, letter.rejection.record.origin.source]
        }
        for (place, letters) in places {
            guard let producer = try await producer(of: place[0]) else {
                stuck += letters.map {
                    "letter \($0.number) can't be replayed: \(file) has no bus \"\(place[0])\", from which it came"
                }
                continue
            }
            let refused = try await producer.send(letters.map(\.again), to: place[1])
            for (index, letter) in letters.enumerated() {
                if let error = refused[index] {
                    stuck.append(
                        "letter \(letter.number) can't be replayed: \(place[1]) refuses it: \(error)"
                    )
                } else {
                    sent.append(letter.number)
                }
            }
        }
        return sent
    }

    /// `nil` for what is no bus of the pipeline's.
    private func producer(of resource: String) async throws -> (any BusProducer)? {
        if let known = producers[resource] { return known }
        guard let name = resources.keys.first(where: { $0.text == resource }),
            let bus = resources[name] as? any Bus
        else { return nil }
        let producer = try await bus.producer()
        producers[resource] = producer
        return producer
    }

    func close() async { for producer in producers.values { await producer.close() } }
}

extension StoredDeadLetter {
    /// The record as it came, with the place where it stood.
    fileprivate var again: OutgoingRecord {
        let record = rejection.record
        return OutgoingRecord(
            key: record.key, payload: record.payload, isTombstone: record.isTombstone,
            headers: record.headers + [
                Header("penstock-replayed-topic", record.origin.source),
                Header("penstock-replayed-partition", "\(record.origin.partition)"),
                Header("penstock-replayed-offset", "\(record.origin.offset)"),
            ])
    }
}

extension DeadLetterAccess.Letter {
    private var id: String {
        switch self {
        case .outcome(let outcome): "\(outcome.sink):\(outcome.caseID)"
        case .record(let letter): "\(letter.number)"
        }
    }

    /// For people: id, kind, stage, code, tries, why.
    var line: String {
        switch self {
        case .outcome(let outcome):
            "\(id)  outcome\(outcome.isDue ? " (on its way)" : "")  \(outcome.sink)  \(outcome.code)"
                + "  refused \(outcome.attempts) ×  \(outcome.reason)"
        case .record(let letter):
            "\(id)  record  \(letter.rejection.stage)  \(letter.rejection.code)"
                + "  \(letter.rejection.record.origin)  \(letter.rejection.reason)"
        }
    }

    /// Everything.
    var json: JSON {
        switch self {
        case .outcome(let outcome):
            .object([
                ("id", .string(id)), ("kind", "outcome"), ("sink", .string(outcome.sink)),
                ("batch", .number(Int(outcome.batch))),
                ("case_id", .string(outcome.caseID.description)),
                ("event_id", .string(outcome.outcomeID.description)),
                ("code", .string(outcome.code.name)), ("reason", .string(outcome.reason)),
                ("attempts", .number(outcome.attempts)),
                ("parked_at", outcome.parkedAt.json),
                ("is_due", .bool(outcome.isDue)),
            ])
        case .record(let letter):
            .object(
                [
                    ("id", .string(id)), ("kind", "record"),
                    (
                        "kept_at_microseconds",
                        letter.keptAt.map { .number(Int($0.microseconds)) } ?? .null
                    ),
                ] + (letter.json.members ?? []).map { ($0.key, $0.value) })
        }
    }
}
