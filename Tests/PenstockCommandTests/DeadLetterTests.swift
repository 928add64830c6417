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
        var (found, cursor): ([TopicLetter], TopicLetters.Cursor?) = ([], .init())
        while let next = cursor {
            let page = try await letters.page(filter, from: next, limit: limit)
            #expect(page.letters.count <= limit)
            found += page.letters
            cursor = page.next
        }
        return found
    }

    @discardableResult
    private func settle(_ chosen: ChosenLetters) async throws -> [Int64] {
        var settled: [Int64] = []
        try await letters.forEach(chosen) { opened, some in
            try letters.checkRoom(for: some, in: opened)
            try await letters.settle(some, in: &opened)
            settled += some.map(\.place.offset)
        }
        return settled
    }

    @Test(
        "are listed once each, in the order of their partitions, in pages of any size",
        arguments: [1, 7, 64, 1000])
    func pages(_ limit: Int) async throws {
        for partition in 0..<3 as Range<Int32> {
            for number in 0..<70 { bus.add(refused(number), to: partition) }
        }
        try await settle(
            .ids([.topic(.init(resource: "bus", topic: "in.dead-letters", partition: 1, offset: 4))]
            ))
        let found = try await listed(by: limit).map {
            [Int64($0.place.partition), $0.place.offset]
        }
        let all = (0..<3).flatMap { partition in (0..<70).map { [Int64(partition), Int64($0)] } }
        #expect(found == all.filter { $0 != [1, 4] })
        let withSettled = try await listed(DeadLetterFilter(includesSettled: true), by: limit)
        #expect(withSettled.count == 210)
        #expect(withSettled.filter(\.isSettled).map(\.place.offset) == [4])
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

/// A topic in memory, which can be made anew under its name.
private final class BrowsedBus: TopicBrowsing {
    let log = LogName("fake:one/in.dead-letters")
    private let records = Mutex<[Int32: [Record]]>([:])
    private let time = Mutex<Int64>(0)

    /// Each a second after the one before.
    func add(_ record: OutgoingRecord, to partition: Int32) {
        let now = time.withLock { time in
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

    func reader(
        of topic: String, partition: Int32, offsets: Range<Int64>, timeout: Duration
    ) async throws -> any TopicReader {
        Reader(
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
