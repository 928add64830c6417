internal import CommandLineInterface
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

        /// - Throws: ``CommandFailure`` `usage` for what is no id.
        init(_ choice: DeadLetterChoice, ids: [String]?) throws {
            guard let ids else {
                records = DeadLetterSelection(stage: choice.stage, code: choice.code)
                outcomes = [ParkedSelection(sink: choice.stage, code: choice.code)]
                return
            }
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

    func letters(_ choice: DeadLetterChoice, limit: Int) async throws -> [Letter] {
        try await letters(Selected(choice, ids: nil), limit: limit)
    }

    private func letters(_ selected: Selected, limit: Int) async throws -> [Letter] {
        var found: [Letter] = []
        for selection in selected.outcomes {
            for ledger in barriers.map(\.barrier.ledger) {
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

    func letter(_ id: String) async throws -> Letter {
        let choice = try Selected(DeadLetterChoice.none, ids: [id])
        guard let letter = try await letters(choice, limit: 1).first else {
            throw CommandFailure(.failure, "there is no letter \(id)")
        }
        return letter
    }

    /// - Throws: ``CommandFailure`` when some could not be replayed: after all others were.
    func replay(_ selected: Selected) async throws -> Int {
        var count = 0
        var stuck: [CommandFailure] = []
        for selection in selected.outcomes {
            for ledger in barriers.map(\.barrier.ledger) {
                count += try await ledger.replayParked(selection)
            }
        }
        guard let selection = selected.records else { return count }
        for store in stores {
            // Not all at once: payloads are large.
            var last: Int64 = 0
            let numbers = try await store.deadLetters(selection, limit: 100_000).map(\.number)
            for number in numbers where number > last {
                last = number
                let one = DeadLetterSelection(numbers: [number])
                guard let letter = try await store.deadLetters(one, limit: 1).first else {
                    continue
                }
                do { try await send(letter) } catch let failure as CommandFailure {
                    stuck.append(failure)
                    continue
                }
                count += try await store.removeDeadLetters(one)
            }
        }
        if let first = stuck.first {
            let others = stuck.count == 1 ? "" : "; nor can \(stuck.count - 1) others"
            throw CommandFailure(
                first.code, "\(count) replayed; \(first.message)\(others)")
        }
        return count
    }

    func drop(_ selected: Selected) async throws -> Int {
        var count = 0
        for selection in selected.outcomes {
            for ledger in barriers.map(\.barrier.ledger) {
                count += try await ledger.dropParked(selection)
            }
        }
        guard let selection = selected.records else { return count }
        for store in stores { count += try await store.removeDeadLetters(selection) }
        return count
    }

    /// Hands a record to the topic that it came from.
    private func send(_ letter: StoredDeadLetter) async throws {
        let record = letter.rejection.record
        let topic = record.origin.source
        guard let resource = ResourceName.named(letter.resource, in: resources),
            let bus = resources[resource] as? any Bus
        else {
            throw CommandFailure(
                .failure,
                "letter \(letter.number) can't be replayed: \(definition.file) has no bus \"\(letter.resource)\", from which it came"
            )
        }
        let producer = try await bus.producer()
        let message = OutgoingRecord(
            key: record.key, payload: record.payload, isTombstone: record.isTombstone,
            headers: record.headers + [
                Header("penstock-replayed-topic", topic),
                Header("penstock-replayed-partition", "\(record.origin.partition)"),
                Header("penstock-replayed-offset", "\(record.origin.offset)"),
            ])
        let refused = try await producer.send([message], to: topic)
        await producer.close()
        if let error = refused[0] {
            throw CommandFailure(
                .failure, "letter \(letter.number) can't be replayed: \(topic) refuses it: \(error)"
            )
        }
    }
}

extension ResourceName {
    fileprivate static func named(
        _ text: String, in resources: [ResourceName: any Resource]
    ) -> ResourceName? { resources.keys.first { $0.text == text } }
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
                ("parked_at_microseconds", .number(Int(outcome.parkedAt.microseconds))),
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
