internal import CommandLineInterface
internal import PipelineConfiguration
internal import PipelineCore

/// Hands records to the topics that they came from.
final class DeadLetterReplay {
    /// A record to be sent again.
    struct Letter {
        let id: DeadLetterID
        /// The bus that it came from, by its name in the pipeline's file.
        let resource: String
        /// As it came.
        let record: Record
    }

    private let resources: [ResourceName: any Resource]
    private let file: String
    private var producers: [String: any BusProducer] = [:]

    init(resources: [ResourceName: any Resource], file: String) {
        self.resources = resources
        self.file = file
    }

    /// Answers which of them their topics have, once they have acknowledged them; others are stuck.
    func send(
        _ letters: [Letter], _ result: inout DeadLetterReplayed
    ) async throws -> Set<DeadLetterID> {
        var sent: Set<DeadLetterID> = []
        var left = letters[...]
        // In their order, as far as they go to one topic.
        while let first = left.first {
            let place = [first.resource, first.record.origin.source]
            let letters = Array(left.prefix { place == [$0.resource, $0.record.origin.source] })
            left.removeFirst(letters.count)
            guard let producer = try await producer(of: place[0]) else {
                for letter in letters {
                    result.stuck(
                        "letter \(letter.id) can't be replayed: \(file) has no bus \"\(place[0])\", from which it came"
                    )
                }
                continue
            }
            let refused = try await producer.send(letters.map(\.again), to: place[1])
            for (index, letter) in letters.enumerated() {
                if let error = refused[index] {
                    result.stuck(
                        "letter \(letter.id) can't be replayed: \(place[1]) refuses it: \(error)")
                } else {
                    sent.insert(letter.id)
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
        // One that is away says so at once, and not when the first record has waited long enough.
        try await bus.probe()
        let producer = try await bus.producer()
        producers[resource] = producer
        return producer
    }

    func close() async { for producer in producers.values { await producer.close() } }
}

extension DeadLetterReplay.Letter {
    /// The record as it came, with the place where it stood.
    fileprivate var again: OutgoingRecord {
        OutgoingRecord(
            key: record.key, payload: record.payload, isTombstone: record.isTombstone,
            headers: record.headers + [
                Header("penstock-replayed-topic", record.origin.source),
                Header("penstock-replayed-partition", "\(record.origin.partition)"),
                Header("penstock-replayed-offset", "\(record.origin.offset)"),
            ])
    }
}

extension DeadLetterAccess {
    func page(
        of place: LetterPlace?, _ filter: DeadLetterFilter, after token: String?, limit: Int
    ) async throws -> DeadLetterPage {
        if token == nil { try await refuseUnknown(filter.stage) }
        return try await found(in: place, filter, after: token, limit: limit)
    }

    /// A stage that is neither in the file nor named by a letter, which may be older than the file,
    /// is a mistyped one.
    func refuseUnknown(_ stage: String?) async throws {
        guard let stage, definition.stage(stage) == nil else { return }
        var token: String?
        repeat {
            let page = try await found(
                in: nil, DeadLetterFilter(stage: stage, includesSettled: true), after: token,
                limit: 1)
            if !page.letters.isEmpty { return }
            token = page.next
        } while token != nil
        throw CommandFailure(
            .usage,
            "\(definition.file) has no stage \"\(stage)\", and no letter names it: there is \(definition.stageNames)"
        )
    }
}
