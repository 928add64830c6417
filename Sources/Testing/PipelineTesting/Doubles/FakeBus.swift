internal import Concurrency
public import PipelineCore
internal import Synchronization

/// A bus that keeps what is sent, and hands out fetches that a test puts in.
public final class FakeBus: Bus {
    /// Everything that was acknowledged, in order.
    public let sent = Journal<(topic: String, record: OutgoingRecord)>()
    public let created = Journal<String>()
    /// `settled`, `rewind`, `close` as the consumer heard them.
    public let consumerCalls = Journal<String>()
    /// The partitions that are paused, and for how long.
    public let pauses = Journal<(partitions: [Int32], pause: Duration)>()
    /// What sends fail with.
    public let failures = Failures()
    /// Payloads that the bus refuses for good.
    public let tooLarge: Int
    /// The indices that each send refuses for good, whatever it is given.
    private let refusing: Set<Int>
    private let fetches = Mutex<[Fetch]>([])
    private let arrived = Signal()

    public init(tooLarge: Int = .max, refusing: Set<Int> = []) {
        self.tooLarge = tooLarge
        self.refusing = refusing
    }

    /// The consumer's next fetch.
    public func put(_ fetch: Fetch) {
        fetches.withLock { $0.append(fetch) }
        arrived.send()
    }

    public func ensureTopic(_ name: String, partitions: Int?) async throws { created.note(name) }
    public func consumer(
        _ subscription: Subscription, positions: (any PositionStore)?
    ) async throws -> any BusConsumer { FakeConsumer(bus: self) }
    public func producer() async throws -> any BusProducer { FakeProducer(bus: self) }
    public func probe() async throws {}
    public func close() async {}

    fileprivate var refusals: [Int: PipelineError] {
        Dictionary(
            uniqueKeysWithValues: refusing.map { ($0, .permanent(.recordTooLarge, "refused")) })
    }

    fileprivate func nextFetch() async throws -> Fetch {
        while true {
            let next = fetches.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            if let next { return next }
            try await arrived.wait()
        }
    }
}

private struct FakeConsumer: BusConsumer {
    let bus: FakeBus
    func next() async throws -> Fetch { try await bus.nextFetch() }
    func settled(_ advances: [PositionAdvance]) { bus.consumerCalls.note("settled") }
    func rewind(_ advances: [PositionAdvance]) { bus.consumerCalls.note("rewind") }
    func rewind(_ advances: [PositionAdvance], after pause: Duration) {
        bus.pauses.note((advances.map(\.partition), pause))
    }
    func rewindAll() { bus.consumerCalls.note("rewindAll") }
    func close() async { bus.consumerCalls.note("close") }
}

private struct FakeProducer: BusProducer {
    let bus: FakeBus
    func send(
        _ records: [OutgoingRecord], to topic: String
    ) async throws -> [Int: PipelineError] {
        try bus.failures.throwNext()
        var refused = bus.refusals
        for (index, record) in records.enumerated() {
            if record.payload.count >= bus.tooLarge {
                refused[index] = .permanent("too-large", "the message is too large")
            } else {
                bus.sent.note((topic, record))
            }
        }
        return refused
    }
    func close() async {}
}

/// Lines in memory, one byte of end each; a read hands out a few at a time.
public final class FakeLines: LineInput {
    public let name: String
    public let isSeekable: Bool
    /// The offsets that reads began at.
    public let reads = Journal<Int64>()
    /// What was kept of refused lines.
    public let rejected = Journal<OutgoingRecord>()
    public let closings = Journal<Void>()
    /// What reads fail with.
    public let failures = Failures()
    private let lines: [String]
    private let linesPerRead: Int

    public init(
        _ lines: [String], name: String = "file:lines", isSeekable: Bool = true,
        linesPerRead: Int = .max
    ) {
        self.lines = lines
        self.name = name
        self.isSeekable = isSeekable
        self.linesPerRead = linesPerRead
    }

    public func lines(from offset: Int64, maxBytes: Int) async throws -> [Line] {
        reads.note(offset)
        try failures.throwNext()
        var next: Int64 = 0
        var found: [Line] = []
        for text in lines {
            let start = next
            next += Int64(text.utf8.count) + 1
            if start >= offset, found.count < linesPerRead {
                found.append(Line(text: Array(text.utf8)[...], next: next))
            }
        }
        return found
    }

    public func keepRejected(_ lines: [OutgoingRecord]) async throws {
        for line in lines { rejected.note(line) }
    }
    public func probe() async throws {}
    public func close() async { closings.note(()) }
}
