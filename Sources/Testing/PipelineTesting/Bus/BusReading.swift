internal import PipelineCore

/// What a consumer has handed out so far. Takes fetches in and holds each against the contract.
struct BusReading: Sendable {
    private let subscription: Subscription
    private(set) var records: [Record] = []
    private(set) var fetches: [Fetch] = []
    /// Where the next advance of each partition must begin.
    private(set) var next: [Int32: Int64] = [:]

    init(_ subscription: Subscription) { self.subscription = subscription }

    var numbers: [Int] { records.map(\.number) }
    var advances: [PositionAdvance] { fetches.flatMap(\.advances) }

    /// The consumer was told to rewind: these partitions may begin anywhere.
    mutating func forget(_ partitions: some Sequence<Int32>) {
        for partition in partitions { next[partition] = nil }
    }

    fileprivate mutating func take(_ fetch: Fetch) throws {
        try checkRecords(fetch)
        let byPartition = Dictionary(grouping: fetch.records, by: \.origin.partition)
        try requireEqual(
            fetch.advances.map(\.partition).sorted(), byPartition.keys.sorted(),
            "partitions of the advances, which must be those of the records, once each")
        for advance in fetch.advances {
            let place = "\(advance.source)[\(advance.partition)]"
            try require(
                advance.source.hasSuffix("/\(subscription.topic)"),
                "the advance's source is \(advance.source), which does not say where the topic lies"
            )
            if let wanted = next[advance.partition] {
                try requireEqual(
                    advance.expected, wanted, "\(place): expected, which continues the last next")
            }
            let offsets = byPartition[advance.partition]!.map(\.origin.offset)
            try require(
                zip(offsets, offsets.dropFirst()).allSatisfy { $0 < $1 },
                "\(place): offsets out of order: \(offsets)")
            try require(
                advance.expected <= offsets.first! && offsets.last! < advance.next,
                "\(place): \(advance.expected)..<\(advance.next) does not cover \(offsets)")
            next[advance.partition] = advance.next
        }
        fetches.append(fetch)
        records += fetch.records
    }

    private func checkRecords(_ fetch: Fetch) throws {
        try require(!fetch.records.isEmpty, "a fetch without records")
        try require(
            fetch.records.count <= subscription.maxRecords,
            "\(fetch.records.count) records where at most \(subscription.maxRecords) are allowed")
        let bytes = fetch.records.reduce(0) { $0 + $1.payload.count }
        try require(
            fetch.records.count == 1 || bytes <= subscription.maxBytes,
            "\(bytes) payload bytes where at most \(subscription.maxBytes) are allowed")
        try requireEqual(
            fetch.records.map(\.ordinal), Array(fetch.records.indices), "the ordinals")
        for record in fetch.records {
            try requireEqual(record.origin.source, subscription.topic, "the record's source")
            try require(record.body == record.payload, "a body that is not the payload")
        }
    }
}

extension BusConformance {
    /// Reads until `count` records have arrived in all; with `store`, each fetch advances it and
    /// settles.
    func read(
        _ count: Int, _ consumer: any BusConsumer, into reading: inout BusReading,
        settling store: FakePositions? = nil
    ) async throws {
        while reading.records.count < count {
            let have = reading.records.count
            let fetch = try await within(limit, "reading \(count) records, of which came \(have)") {
                try await nextInTheEnd(consumer)
            }
            try reading.take(fetch)
            if let store {
                try store.advance(fetch.advances)
                consumer.settled(fetch.advances)
            }
        }
    }
}

/// The next fetch, asking again after errors that allow it, as a pipeline does.
func nextInTheEnd(_ consumer: any BusConsumer) async throws -> Fetch {
    while true {
        do { return try await consumer.next() } catch let error as PipelineError
            where error.disposition == .retryable
        { try Task.checkCancellation() }
    }
}
