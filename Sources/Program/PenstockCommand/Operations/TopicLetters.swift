internal import CommandLineInterface
internal import PipelineConfiguration
internal import PipelineCore

/// The dead-letter topics of a pipeline's inputs, and what of them is settled.
///
/// They are read beside the groups, a part at a time: however many letters there are, no more than
/// a part of them is held.
struct TopicLetters: Sendable {
    /// A dead-letter topic.
    struct Topic: Sendable {
        let resource: String
        let bus: any TopicBrowsing
        /// Where its records come from.
        let input: String
        let name: String
    }

    /// A topic as it was when it was looked at: what comes later is not dealt with, or a replay
    /// that is refused again would never end.
    struct Opened: Sendable {
        let topic: Topic
        fileprivate let extent: LogExtent
        fileprivate var settled: [Int32: SettledLetters] = [:]
        /// What is remembered of another log of that name.
        fileprivate var refuted: [Int32: LogWitness] = [:]
    }

    /// How long a bus may take to answer.
    private static let patience = Duration.seconds(10)
    /// After that time a page ends, with what it has.
    private static let pageTime = Duration.seconds(5)
    /// Records that are read, sent and remembered at a time.
    private static let step = 64

    private let topics: [Topic]
    /// `nil` without a store that could remember.
    private let marks: (any DeadLetterMarks)?

    init(_ topics: [Topic], marks: (any DeadLetterMarks)?) {
        self.topics = topics
        self.marks = marks
    }

    /// - Parameter marks: of the store that keeps the pipeline's dead letters.
    init(
        _ definition: PipelineDefinition, _ resources: [ResourceName: any Resource],
        marks: (any DeadLetterMarks)?
    ) {
        var seen: Set<[String]> = []
        let topics: [Topic] = definition.stages.flatMap(\.contract.uses).compactMap { use in
            guard let letters = use.topic?.deadLetters, let input = use.topic?.name,
                let bus = resources[use.resource] as? any TopicBrowsing,
                seen.insert([use.resource.text, input]).inserted
            else { return nil }
            return Topic(
                resource: use.resource.text, bus: bus, input: input, name: letters.name)
        }
        self.init(topics, marks: marks)
    }

    // MARK: Reading

    /// `nil` for a topic that is not there.
    private func open(_ topic: Topic) async throws -> Opened? {
        guard let extent = try await topic.bus.extent(of: topic.name, timeout: Self.patience)
        else { return nil }
        var opened = Opened(topic: topic, extent: extent)
        let settled = try await marks?.settled(of: extent.log) ?? [:]
        let stored = StoredPositions(
            source: extent.log.key, next: settled.mapValues(\.offsets.end),
            witnesses: settled.mapValues(\.witness), partitions: Set(settled.keys))
        if try await isContradicted(stored, in: opened) {
            opened.refuted = stored.witnesses
        } else {
            opened.settled = settled
        }
        return opened
    }

    /// Whether the topic is not the one that something was settled in, but another one of its name.
    private func isContradicted(_ stored: StoredPositions, in opened: Opened) async throws -> Bool {
        let (topic, ranges) = (opened.topic, opened.extent.ranges)
        if LogContradiction(stored: stored.partitions, found: ranges.count) != nil { return true }
        if LogContradiction(stored, ranges: ranges) != nil { return true }
        var sightings: [Int32: LogSighting] = [:]
        for (partition, offset) in stored.witnessOffsets(in: ranges) {
            let reader = try await topic.bus.reader(
                of: topic.name, partition: partition, offsets: offset..<offset + 1,
                timeout: Self.patience)
            let record = try await reader.next(limit: 1).first
            sightings[partition] = record.map { .record(LogWitness($0)) } ?? .end
        }
        return LogContradiction(stored, sightings: sightings) != nil
    }

    /// Hands out what a part of a partition holds, in order, until `body` has had enough.
    private func read(
        _ offsets: Range<Int64>, of partition: Int32, in opened: Opened,
        _ body: ([TopicLetter]) async throws -> Bool
    ) async throws {
        if offsets.isEmpty { return }
        let topic = opened.topic
        let settled = opened.settled[partition]?.offsets ?? OffsetRanges()
        let reader = try await topic.bus.reader(
            of: topic.name, partition: partition, offsets: offsets, timeout: Self.patience)
        while true {
            try Task.checkCancellation()
            let records = try await reader.next(limit: Self.step)
            if records.isEmpty { return }
            let letters = records.map { record in
                TopicLetter(
                    place: TopicLetter.Place(
                        resource: topic.resource, topic: topic.name, partition: partition,
                        offset: record.origin.offset),
                    record: record,
                    rejection: DeadLetter.rejection(from: record, of: topic.input),
                    isSettled: settled.contains(record.origin.offset))
            }
            guard try await body(letters) else { return }
        }
    }

    /// What a partition has from an offset on, without what is settled at its beginning.
    private func offsets(
        of partition: Int32, in opened: Opened, from start: Int64 = 0, withSettled: Bool = false
    ) -> Range<Int64> {
        guard let range = opened.extent.ranges[partition] else { return 0..<0 }
        var first = max(start, range.lowerBound)
        if !withSettled, let settled = opened.settled[partition] {
            first = settled.offsets.firstMissing(from: first)
        }
        return min(first, range.upperBound)..<range.upperBound
    }

    // MARK: Listing

    /// Where a list goes on.
    struct Cursor: Sendable {
        var topic = 0
        var partition: Int32 = 0
        var offset: Int64 = 0
    }

    func page(
        _ filter: DeadLetterFilter, from cursor: Cursor, limit: Int
    ) async throws -> (letters: [TopicLetter], next: Cursor?) {
        let clock = PipelineClock.system
        let deadline = clock.now.advanced(by: Self.pageTime)
        var (found, bytes): ([TopicLetter], Int) = ([], 0)
        for index in topics.indices.dropFirst(cursor.topic) {
            guard let opened = try await open(topics[index]) else { continue }
            let isFirst = index == cursor.topic
            for partition in opened.extent.ranges.keys.sorted()
            where !isFirst || partition >= cursor.partition {
                let start = isFirst && partition == cursor.partition ? cursor.offset : 0
                let offsets = offsets(
                    of: partition, in: opened, from: start, withSettled: filter.includesSettled)
                if offsets.isEmpty { continue }
                var next: Int64? = found.count < limit ? nil : offsets.lowerBound
                try await read(next == nil ? offsets : 0..<0, of: partition, in: opened) {
                    letters in
                    for letter in letters where filter.meets(letter) {
                        guard found.count < limit, bytes < DeadLetterPage.bytes else {
                            next = letter.place.offset
                            return false
                        }
                        found.append(letter)
                        bytes += DeadLetterEntry.topic(letter).byteCount
                    }
                    if clock.now > deadline { next = letters.last.map { $0.place.offset + 1 } }
                    return next == nil
                }
                if let next {
                    return (found, Cursor(topic: index, partition: partition, offset: next))
                }
            }
        }
        return (found, nil)
    }

    // MARK: Settling

    /// Hands out the letters that are chosen and not settled, a part at a time, each with the topic
    /// that it lies in. What comes into a topic meanwhile is not among them.
    func forEach(
        _ chosen: ChosenLetters, _ body: (inout Opened, [TopicLetter]) async throws -> Void
    ) async throws {
        switch chosen {
        case .all(let filter):
            var all: [Opened] = []
            for topic in topics { if let opened = try await open(topic) { all.append(opened) } }
            for var opened in all {
                for partition in opened.extent.ranges.keys.sorted() {
                    let offsets = offsets(of: partition, in: opened)
                    try await read(offsets, of: partition, in: opened) { letters in
                        let wanted = letters.filter(filter.meets)
                        if !wanted.isEmpty { try await body(&opened, wanted) }
                        return true
                    }
                }
            }
        case .ids(let ids):
            try await forEach(of: ids) { opened, letters in
                let open = letters.filter { !$0.isSettled }
                if !open.isEmpty { try await body(&opened, open) }
            }
        }
    }

    private func forEach(
        of ids: [DeadLetterID], _ body: (inout Opened, [TopicLetter]) async throws -> Void
    ) async throws {
        var places: [[String]: [Int32: Set<Int64>]] = [:]
        for case .topic(let place) in ids {
            places[[place.resource, place.topic], default: [:]][place.partition, default: []]
                .insert(place.offset)
        }
        for topic in topics {
            guard let wanted = places[[topic.resource, topic.name]],
                var opened = try await open(topic)
            else { continue }
            for (partition, wanted) in wanted {
                let there = opened.extent.ranges[partition] ?? 0..<0
                let offsets = wanted.filter(there.contains)
                guard let first = offsets.min(), let last = offsets.max() else { continue }
                try await read(first..<last + 1, of: partition, in: opened) { letters in
                    let found = letters.filter { offsets.contains($0.place.offset) }
                    if !found.isEmpty { try await body(&opened, found) }
                    return true
                }
            }
        }
    }

    /// Settled or not; `nil` when there is none.
    func letter(_ place: TopicLetter.Place) async throws -> TopicLetter? {
        var found: TopicLetter?
        try await forEach(of: [.topic(place)]) { _, letters in found = letters.first }
        return found
    }

    /// Refuses what nobody could remember: to be asked before letters are sent.
    ///
    /// - Throws: ``CommandFailure``.
    func checkRoom(for letters: [TopicLetter], in opened: Opened) throws {
        guard marks != nil else {
            throw CommandFailure(
                .failure,
                "the pipeline has no store that could remember what of \(opened.topic.name) was replayed or dropped"
            )
        }
        for partition in Set(letters.map(\.place.partition)) {
            let count = opened.settled[partition]?.offsets.ranges.count ?? 0
            if count + letters.count > OffsetRanges.most {
                throw CommandFailure(
                    .failure,
                    "too much of \(opened.topic.name)[\(partition)] is settled here and there: replay or drop what lies between first"
                )
            }
        }
    }

    /// Remembers that letters of a topic have been replayed or dropped.
    func settle(_ letters: [TopicLetter], in opened: inout Opened) async throws {
        var new: [Int32: SettledLetters] = [:]
        for (partition, letters) in Dictionary(grouping: letters, by: \.place.partition) {
            guard let last = letters.max(by: { $0.place.offset < $1.place.offset }) else {
                continue
            }
            new[partition] = SettledLetters(
                OffsetRanges(letters.map(\.place.offset)), witness: LogWitness(last.record))
        }
        let starts = opened.extent.ranges.mapValues(\.lowerBound)
        try await marks?.settle(
            new, of: opened.extent.log, starts: starts, refuted: opened.refuted)
        opened.refuted = [:]
        for (partition, letters) in new {
            opened.settled[partition, default: letters].add(letters, start: starts[partition] ?? 0)
        }
    }
}

extension LogWitness {
    /// A letter as it lies in its topic.
    fileprivate init(_ record: Record) {
        self.init(
            offset: record.origin.offset, timestamp: record.timestamp.microseconds,
            key: record.key, payload: record.payload)
    }
}
