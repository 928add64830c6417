import CommandLineInterface
import PipelineCore
import PipelineTesting
import Synchronization
import Testing

@testable import PenstockCommand

@Suite("Letters in dead-letter topics", .timeLimit(.minutes(2)))
struct DeadLetterTests {
    private let bus = BrowsedBus()
    private let marks = FakeDeadLetters()

    private var letters: TopicLetters {
        TopicLetters(
            [.init(resource: "bus", bus: bus, input: "in", name: "in.dead-letters")], marks: marks)
    }

    private func refused(_ number: Int, code: ErrorCode = "malformed") -> OutgoingRecord {
        DeadLetter.record(
            Rejection(
                Record(
                    payload: [UInt8(number)], timestamp: .epoch,
                    origin: Origin(source: "in", offset: Int64(number))),
                stage: "s", code: code, reason: "why"))
    }

    private func listed(
        _ filter: DeadLetterFilter = DeadLetterFilter(), by limit: Int = 100
    ) async throws -> [TopicLetter] {
        var (found, token): ([TopicLetter], String?) = ([], nil)
        repeat {
            let sources = letters.sources(try await letters.opened(), filter)
            var merge =
                try token.map { try LetterMerge(sources, from: $0) } ?? LetterMerge(sources)
            found += try await merge.next(limit: limit).map(\.letter).inTopics
            token = try await merge.hasMore() ? merge.token : nil
        } while token != nil
        return found
    }

    @discardableResult
    private func settle(_ chosen: ChosenLetters) async throws -> [Int64] {
        var settled: [Int64] = []
        try await letters.forEach(chosen) { opened, some in
            try letters.checkRoom(for: some, in: opened)
            let count = try await letters.settle(some, in: &opened)
            #expect(count == some.count)
            settled += some.map(\.place.offset)
        }
        return settled
    }

    @Test(
        "are listed once each, the oldest first over all partitions, in pages of any size",
        arguments: [(1, 3), (7, 3), (64, 3), (1000, 3), (50, 40)])
    func pages(_ limit: Int, _ partitions: Int32) async throws {
        let count = Int64(210 / partitions)
        for number in 0..<count {
            for partition in 0..<partitions { bus.add(refused(Int(number)), to: partition) }
        }
        try await settle(
            .ids([.topic(.init(resource: "bus", topic: "in.dead-letters", partition: 1, offset: 4))]
            ))
        let found = try await listed(by: limit).map {
            [Int64($0.place.partition), $0.place.offset]
        }
        let all = (0..<count).flatMap { number in (0..<partitions).map { [Int64($0), number] } }
        #expect(found == all.filter { $0 != [1, 4] })
        let withSettled = try await listed(DeadLetterFilter(includesSettled: true), by: limit)
        #expect(withSettled.count == all.count)
        #expect(withSettled.filter(\.isSettled).map(\.place.offset) == [4])
        let opened = try await letters.opened()
        #expect(TopicLetters.count(opened, withSettled: false) == all.count - 1)
        #expect(TopicLetters.count(opened, withSettled: true) == all.count)
    }

    @Test("are moved in that order, and those of one time in the order of their ids")
    func order() async throws {
        for number in 0..<200 { bus.add(refused(number), to: Int32(2 - number % 3)) }
        var moved: [Timestamp] = []
        try await letters.forEach(.all(.init())) { _, some in moved += some.map(\.record.timestamp)
        }
        #expect(moved.count == 200 && moved == moved.sorted())
        bus.clear()
        for partition in [2, 0, 1] as [Int32] {
            for number in 0..<3 { bus.add(refused(number), to: partition, at: 0) }
        }
        #expect(
            try await listed(by: 2).map { "\($0.place.partition)/\($0.place.offset)" } == [
                "0/0", "0/1", "0/2", "1/0", "1/1", "1/2", "2/0", "2/1", "2/2",
            ])
    }

    @Test("are merged with what stores and ledgers keep, and no more than a part of each is read")
    func merged() async throws {
        for number in 0..<200 { bus.add(refused(number), to: 0) }
        let stored = NumberedLetters((0..<200).map { 1 + 2 * $0 })
        let opened = try await letters.opened()
        let sources = letters.sources(opened, .init())
        var merge = LetterMerge([stored] + sources)
        let first = try await merge.next(limit: 5).map { "\($0.letter.id)" }
        #expect(
            first == [
                "bus:in.dead-letters/0/0", "1", "bus:in.dead-letters/0/1", "3",
                "bus:in.dead-letters/0/2",
            ])
        #expect(stored.handedOut.value <= 64)
        var again = try LetterMerge([stored] + sources, from: merge.token)
        var left = 0
        while case .letter(let letter, _) = try await again.next() {
            if left == 0 { #expect("\(letter.id)" == "bus:in.dead-letters/0/3") }
            left += 1
        }
        #expect(left == 395)
        for token in ["", "topic/0/0", "topic/0/0=x", "store/0=1/2", "a=1||"] {
            #expect(throws: CommandFailure.self, "\(token)") {
                try LetterMerge(sources, from: token)
            }
        }
        // Who has no time left says that there may be more.
        var late = LetterMerge(sources.map { EmptyHanded($0) })
        guard case .later = try await late.next(before: PipelineClock.system.now) else {
            Issue.record("it knows what it can't")
            return
        }
        #expect(try await late.hasMore(before: PipelineClock.system.now))
    }

    @Test("that two drop at once are dropped by one of them")
    func race() async throws {
        for number in 0..<70 { bus.add(refused(number), to: Int32(number % 2)) }
        // Both have looked before either has settled anything.
        var both = [try await letters.opened()[0], try await letters.opened()[0]]
        let some = try await listed()
        #expect(try await letters.settle(some, in: &both[0]) == 70)
        #expect(try await letters.settle(some, in: &both[1]) == 0)
    }

    @Test("are counted without being read, less what is settled")
    func counted() async throws {
        for number in 0..<90 { bus.add(refused(number), to: Int32(number % 3)) }
        let count = try #require(letters.counting)
        #expect(try await count() == ["in.dead-letters": 90])
        try await settle(.all(.init(keptBefore: Timestamp(microseconds: 30_000_000))))
        let reads = bus.reads
        #expect(try await count() == ["in.dead-letters": 60])
        // A topic made anew has its own.
        bus.clear()
        for number in 0..<3 { bus.add(refused(number), to: Int32(number)) }
        #expect(try await count() == ["in.dead-letters": 3])
        #expect(bus.reads == reads)
        #expect(TopicLetters([], marks: marks).counting == nil)
    }

    @Test("that come while others are replayed are not among them")
    func ends() async throws {
        for number in 0..<100 { bus.add(refused(number), to: 0) }
        var count = 0
        try await letters.forEach(.all(DeadLetterFilter())) { _, some in
            count += some.count
            for number in 0..<some.count { bus.add(refused(number), to: 0) }
        }
        #expect(count == 100)
    }

    @Test("are chosen by stage, code and time, and what somebody else has put there by time alone")
    func filters() async throws {
        bus.add(refused(0), to: 0)
        bus.add(refused(1, code: "conflict"), to: 0)
        bus.add(OutgoingRecord(key: nil, payload: [7]), to: 0)
        var renamed = refused(3)
        renamed.headers[renamed.headers.count - 3] = Header("penstock-origin-topic", "another")
        bus.add(renamed, to: 0)
        #expect(try await listed().map { $0.rejection == nil } == [false, false, true, true])
        #expect(try await listed(.init(code: "conflict")).map(\.place.offset) == [1])
        #expect(try await listed(.init(stage: "t")).isEmpty)
        let late = Timestamp(microseconds: 2_000_000)
        #expect(try await listed(.init(keptFrom: late)).map(\.place.offset) == [2, 3])
        #expect(try await listed(.init(keptBefore: late)).map(\.place.offset) == [0, 1])
        #expect(try await settle(.all(.init(code: "conflict"))) == [1])
        #expect(try await settle(.all(.init())) == [0, 2, 3])
        #expect(try await settle(.all(.init())).isEmpty)
        #expect(try await marks.settled(of: bus.log)[0]?.offsets.bounds == [0, 4])
    }

    @Test("of a topic made anew are not those that were settled", arguments: [3, 5, 9])
    func anew(_ count: Int) async throws {
        for number in 0..<5 { bus.add(refused(number), to: number < 3 ? 0 : 1) }
        try await settle(.all(.init()))
        bus.clear()
        for number in 0..<count { bus.add(refused(number + 20), to: 0) }
        bus.add(refused(40), to: 1)
        #expect(try await listed().count == count + 1)
        #expect(
            try await settle(
                .ids([
                    .topic(
                        .init(resource: "bus", topic: "in.dead-letters", partition: 0, offset: 1))
                ])) == [1])
        #expect(try await listed().count == count)
        #expect(try await marks.settled(of: bus.log).mapValues(\.offsets.bounds) == [0: [1, 2]])
    }

    @Test(
        "can't be moved where nothing remembers it, and a settled one is no longer named by its id")
    func unmarked() async throws {
        bus.add(refused(0), to: 0)
        let place = TopicLetter.Place(
            resource: "bus", topic: "in.dead-letters", partition: 0, offset: 0)
        let forgetful = TopicLetters(
            [.init(resource: "bus", bus: bus, input: "in", name: "in.dead-letters")], marks: nil)
        await #expect(throws: CommandFailure.self) {
            try await forgetful.forEach(.all(.init())) { opened, some in
                try forgetful.checkRoom(for: some, in: opened)
            }
        }
        #expect(try await settle(.ids([.topic(place)])) == [0])
        #expect(try await settle(.ids([.topic(place)])).isEmpty)
        #expect(try await letters.letter(place)?.isSettled == true)
    }

    @Test("and all others have names that can be read back")
    func names() throws {
        let id = "6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11"
        for text in [
            "17", "ready:\(id)", "ready:\(id):2", "bus:in.dead-letters/0/17", "a/b:c:t/3/4",
        ] {
            #expect("\(try DeadLetterID(text))" == text)
        }
        for text in [
            "", "bus", "ready:17", "ready:\(id):x", "bus:t/0", "t/0/1", "bus:t/x/1", "a:b:c",
        ] {
            #expect(throws: CommandFailure.self, "\(text)") { try DeadLetterID(text) }
        }
    }
}

/// Letters of a store, kept a second after the one before; a part has 10.
private final class NumberedLetters: LetterSource {
    let name = "store/0"
    let handedOut = Counter()
    private let numbers: [Int64]
    init(_ numbers: [Int64]) { self.numbers = numbers }

    func part(
        after position: LetterPosition?, limit: Int, before deadline: Instant?
    ) async throws -> LetterPart {
        let part = numbers.filter { $0 > position?.number ?? 0 }.prefix(min(limit, 10))
        handedOut.add(part.count)
        let letters = part.map { number in
            let rejection = Rejection(
                Record(payload: [], timestamp: .epoch, origin: Origin(source: "in", offset: 0)),
                stage: "s", code: "malformed", reason: "why")
            return DeadLetterEntry.stored(
                StoredDeadLetter(
                    rejection, resource: "bus", refusal: .permanent("topic-denied", "no"),
                    number: number,
                    keptAt: Timestamp(microseconds: (number - 1) / 2 * 1_500_000 + 1)))
        }
        return LetterPart(
            letters: letters, end: part.last.map { .number($0) }, isLast: part.isEmpty)
    }

    final class Counter: Sendable {
        private let count = Mutex(0)
        var value: Int { count.withLock { $0 } }
        func add(_ number: Int) { count.withLock { $0 += number } }
    }
}

/// Finds nothing in time.
private struct EmptyHanded: LetterSource {
    let name: String
    init(_ source: any LetterSource) { name = source.name }
    func part(
        after position: LetterPosition?, limit: Int, before deadline: Instant?
    ) async throws -> LetterPart { LetterPart(end: .number(1)) }
}

/// A topic in memory, which can be made anew under its name.
private final class BrowsedBus: TopicBrowsing {
    let log = LogName("fake:one/in.dead-letters")
    private let records = Mutex<[Int32: [Record]]>([:])
    private let time = Mutex<Int64>(0)

    /// Each a second after the one before, unless its time is said.
    func add(_ record: OutgoingRecord, to partition: Int32, at second: Int64? = nil) {
        let now =
            second
            ?? time.withLock { time in
                defer { time += 1 }
                return time
            }
        records.withLock { records in
            records[partition, default: []].append(
                Record(
                    key: record.key, payload: record.payload, headers: record.headers,
                    timestamp: Timestamp(microseconds: now * 1_000_000),
                    origin: Origin(
                        source: "in.dead-letters", partition: partition,
                        offset: Int64(records[partition]?.count ?? 0))))
        }
    }

    func clear() { records.withLock { $0 = [:] } }

    func extent(of topic: String, timeout: Duration) async throws -> LogExtent? {
        LogExtent(
            log: log, ranges: records.withLock { $0.mapValues { 0..<Int64($0.count) } })
    }

    private let begun = Mutex(0)
    /// How many readers there were.
    var reads: Int { begun.withLock { $0 } }

    func reader(
        of topic: String, partition: Int32, offsets: Range<Int64>, timeout: Duration
    ) async throws -> any TopicReader {
        begun.withLock { $0 += 1 }
        return Reader(
            records.withLock { records in
                (records[partition] ?? []).filter { offsets.contains($0.origin.offset) }
            })
    }

    private final class Reader: TopicReader {
        private let left: Mutex<ArraySlice<Record>>
        init(_ records: [Record]) { left = Mutex(records[...]) }
        func next(limit: Int) async throws -> [Record] {
            left.withLock { left in
                defer { left = left.dropFirst(limit) }
                return Array(left.prefix(limit))
            }
        }
    }

    func ensureTopic(_ name: String, partitions: Int?) async throws {}
    func consumer(
        _ subscription: Subscription, positions: (any PositionStore)?
    ) async throws -> any BusConsumer { throw CancellationError() }
    func producer() async throws -> any BusProducer { throw CancellationError() }
    func probe() async throws {}
    func close() async {}
}
