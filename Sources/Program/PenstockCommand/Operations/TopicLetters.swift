internal import CommandLineInterface
internal import PipelineConfiguration
internal import PipelineCore
internal import Synchronization

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

        func holds(_ letter: TopicLetter) -> Bool {
            letter.place.topic == topic.name && letter.place.resource == topic.resource
        }
    }

    /// How long a bus may take to answer.
    private static let patience = Duration.seconds(10)
    /// Records that are read, sent and remembered at a time.
    private static let step = 64

    private let topics: [Topic]
    /// `nil` without a store that could remember.
    private let marks: (any DeadLetterMarks)?

    init(_ topics: [Topic], marks: (any DeadLetterMarks)?) {
        self.topics = topics
        self.marks = marks
    }

    /// Those of a pipeline, and the marks of the store that keeps its dead letters.
    init(_ definition: PipelineDefinition, _ resources: [ResourceName: any Resource]) {
        let store = resources.sorted { $0.key.text < $1.key.text }
            .lazy.compactMap { $0.value as? any DeadLetterProvider }.first
        var seen: Set<[String]> = []
        let topics: [Topic] = definition.stages.flatMap(\.contract.uses).compactMap { use in
            guard let letters = use.topic?.deadLetters, let input = use.topic?.name,
                let bus = resources[use.resource] as? any TopicBrowsing,
                seen.insert([use.resource.text, input]).inserted
            else { return nil }
            return Topic(
                resource: use.resource.text, bus: bus, input: input, name: letters.name)
        }
        self.init(topics, marks: store?.deadLetters(of: definition.name))
    }

    // MARK: Reading

    /// `nil` for a topic that is not there.
    private func open(_ topic: Topic, byOffsetsAlone: Bool = false) async throws -> Opened? {
        guard let extent = try await topic.bus.extent(of: topic.name, timeout: Self.patience)
        else { return nil }
        var opened = Opened(topic: topic, extent: extent)
        let settled = try await marks?.settled(of: extent.log) ?? [:]
        let stored = StoredPositions(
            source: extent.log.key, next: settled.mapValues(\.offsets.end),
            witnesses: settled.mapValues(\.witness), partitions: Set(settled.keys))
        if try await isContradicted(stored, in: opened, byOffsetsAlone: byOffsetsAlone) {
            opened.refuted = stored.witnesses
        } else {
            opened.settled = settled
        }
        return opened
    }

    /// Whether the topic is not the one that something was settled in, but another one of its name.
    private func isContradicted(
        _ stored: StoredPositions, in opened: Opened, byOffsetsAlone: Bool
    ) async throws -> Bool {
        let (topic, ranges) = (opened.topic, opened.extent.ranges)
        if LogContradiction(stored: stored.partitions, found: ranges.count) != nil { return true }
        if LogContradiction(stored, ranges: ranges) != nil { return true }
        if byOffsetsAlone { return false }
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

    /// Hands out what a part of a partition holds, in order.
    private func read(
        _ offsets: Range<Int64>, of partition: Int32, in opened: Opened,
        _ body: ([TopicLetter]) async throws -> Void
    ) async throws {
        if offsets.isEmpty { return }
        let reader = try await reader(offsets, of: partition, in: opened)
        while true {
            try Task.checkCancellation()
            let records = try await reader.next(limit: Self.step)
            if records.isEmpty { return }
            try await body(letters(records, of: partition, in: opened))
        }
    }

    private func reader(
        _ offsets: Range<Int64>, of partition: Int32, in opened: Opened
    ) async throws -> any TopicReader {
        try await opened.topic.bus.reader(
            of: opened.topic.name, partition: partition, offsets: offsets, timeout: Self.patience)
    }

    private func letters(
        _ records: [Record], of partition: Int32, in opened: Opened
    ) -> [TopicLetter] {
        let (topic, settled) = (opened.topic, opened.settled[partition]?.offsets)
        return records.map { record in
            TopicLetter(
                place: TopicLetter.Place(
                    resource: topic.resource, topic: topic.name, partition: partition,
                    offset: record.origin.offset),
                record: record,
                rejection: DeadLetter.rejection(from: record, of: topic.input),
                isSettled: settled?.contains(record.origin.offset) ?? false)
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

    /// The topics that are there, as they are now.
    func opened() async throws -> [Opened] {
        var all: [Opened] = []
        for topic in topics { if let opened = try await open(topic) { all.append(opened) } }
        return all
    }

    /// Each partition's letters that meet the filter. What comes into a topic later is not among
    /// them.
    func sources(_ all: [Opened], _ filter: DeadLetterFilter) -> [any LetterSource] {
        let count = all.reduce(0) { $0 + $1.extent.ranges.count }
        return all.enumerated().flatMap { index, opened in
            opened.extent.ranges.keys.sorted().map { partition in
                PartitionLetters(
                    name: "topic/\(index)/\(partition)", partition: partition, filter: filter,
                    letters: self, opened: opened, keepsReader: count <= LetterMerge.mostReaders)
            }
        }
    }

    /// Counts the letters that wait in each topic, as far as offsets tell, with a question to each
    /// bus and store and without reading a record; `nil` without topics.
    ///
    /// What is settled of another log of a topic's name counts where the offsets do not tell it.
    var counting: (@Sendable () async throws -> [String: Int])? {
        if topics.isEmpty { return nil }
        return {
            var counts: [String: Int] = [:]
            for topic in topics {
                let opened = try await open(topic, byOffsetsAlone: true).map { [$0] } ?? []
                counts[topic.name, default: 0] += Self.count(opened, withSettled: false)
            }
            return counts
        }
    }

    /// How many letters the topics hold, as far as offsets tell.
    static func count(_ all: [Opened], withSettled: Bool) -> Int {
        all.reduce(0) { count, opened in
            opened.extent.ranges.reduce(count) { count, entry in
                var range = OffsetRanges(bounds: [entry.value.lowerBound, entry.value.upperBound])
                if !withSettled, let settled = opened.settled[entry.key] {
                    range.subtract(settled.offsets)
                }
                return count + range.count
            }
        }
    }

    /// The letters of one partition that meet a filter.
    private final class PartitionLetters: LetterSource {
        let name: String
        private let partition: Int32
        private let filter: DeadLetterFilter
        private let letters: TopicLetters
        private let opened: Opened
        /// With too many partitions each part has a reader of its own.
        private let keepsReader: Bool
        /// Goes on there.
        private let reader = Mutex<(at: Int64, any TopicReader)?>(nil)

        init(
            name: String, partition: Int32, filter: DeadLetterFilter, letters: TopicLetters,
            opened: Opened, keepsReader: Bool
        ) {
            self.name = name
            self.partition = partition
            self.filter = filter
            self.letters = letters
            self.opened = opened
            self.keepsReader = keepsReader
        }

        func part(
            after position: LetterPosition?, limit: Int, before deadline: Instant?
        ) async throws -> LetterPart {
            let offsets = letters.offsets(
                of: partition, in: opened, from: position?.number ?? 0,
                withSettled: filter.includesSettled)
            if offsets.isEmpty { return LetterPart(isLast: true) }
            let held = reader.withLock { $0.take() }
            var reader = held?.1
            if held?.at != position?.number { reader = nil }
            let reading: any TopicReader
            if let reader {
                reading = reader
            } else {
                reading = try await letters.reader(offsets, of: partition, in: opened)
            }
            var part = LetterPart()
            while part.letters.isEmpty {
                try Task.checkCancellation()
                let records = try await reading.next(limit: limit)
                guard let last = records.last else {
                    part.isLast = true
                    return part
                }
                part.end = .number(last.origin.offset + 1)
                part.letters = letters.letters(records, of: partition, in: opened)
                    .filter(filter.meets).map(DeadLetterEntry.topic)
                if let deadline, PipelineClock.system.now > deadline { break }
            }
            if keepsReader, let end = part.end?.number {
                self.reader.withLock { $0 = (end, reading) }
            }
            return part
        }
    }

    // MARK: Settling

    /// Hands out the letters that are chosen and not settled, the oldest first, a part at a time,
    /// each with the topic that it lies in. What comes into a topic meanwhile is not among them.
    func forEach(
        _ chosen: ChosenLetters, _ body: (inout Opened, [TopicLetter]) async throws -> Void
    ) async throws {
        switch chosen {
        case .all(let filter):
            var all = try await opened()
            var merge = LetterMerge(sources(all, filter))
            while true {
                let letters = try await merge.next(limit: Self.step).map(\.letter).inTopics
                if letters.isEmpty { return }
                for index in all.indices {
                    let some = letters.filter(all[index].holds)
                    if !some.isEmpty { try await body(&all[index], some) }
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
            for (partition, wanted) in wanted.sorted(by: { $0.key < $1.key }) {
                let there = opened.extent.ranges[partition] ?? 0..<0
                let offsets = wanted.filter(there.contains)
                guard let first = offsets.min(), let last = offsets.max() else { continue }
                try await read(first..<last + 1, of: partition, in: opened) { letters in
                    let found = letters.filter { offsets.contains($0.place.offset) }
                    if !found.isEmpty { try await body(&opened, found) }
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
    ///
    /// - Returns: how many nobody else has settled meanwhile.
    func settle(_ letters: [TopicLetter], in opened: inout Opened) async throws -> Int {
        var new: [Int32: SettledLetters] = [:]
        for (partition, letters) in Dictionary(grouping: letters, by: \.place.partition) {
            guard let last = letters.max(by: { $0.place.offset < $1.place.offset }) else {
                continue
            }
            new[partition] = SettledLetters(
                OffsetRanges(letters.map(\.place.offset)), witness: LogWitness(last.record))
        }
        let starts = opened.extent.ranges.mapValues(\.lowerBound)
        let count = try await marks?.settle(
            new, of: opened.extent.log, starts: starts, refuted: opened.refuted)
        opened.refuted = [:]
        for (partition, letters) in new {
            opened.settled[partition, default: letters].add(letters, start: starts[partition] ?? 0)
        }
        return count ?? 0
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
