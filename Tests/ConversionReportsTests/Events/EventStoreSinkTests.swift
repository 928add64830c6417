import ConversionReports
import PipelineCore
import PipelineTesting
import Postgres
import SQLite
import Synchronization
import Testing

@Suite("Publishing events to a store")
struct EventStoreSinkTests {
    /// Remembers what was refused.
    final class RecordingHandler: AcknowledgementHandler {
        let rejections = Mutex<[Rejection]>([])
        func reject(_ rejections: [Rejection]) async throws {
            self.rejections.withLock { $0 += rejections }
        }
        func settled(_ settlement: Settlement) {}
    }

    /// Forwards to a store and counts folds.
    final class RecordingStore: ReportStore {
        let base: any ReportStore
        let folds = Mutex(0)
        let foldError = Mutex<PipelineError?>(nil)
        /// What becomes of every event.
        let refusal = Mutex<PipelineError?>(nil)
        init(_ base: any ReportStore) { self.base = base }
        func migrate() async throws { try await base.migrate() }
        func owned(byPipeline pipeline: String, stage: String) -> any ReportStore {
            RecordingStore(base.owned(byPipeline: pipeline, stage: stage))
        }
        func positions(of log: LogName, initial: [Int32: Int64]) async throws -> StoredPositions {
            try await base.positions(of: log, initial: initial)
        }
        func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws {
            try await base.keep(witnesses, of: source)
        }
        func restart(
            _ log: LogName, after source: String, at starts: [Int32: Int64]
        ) async throws { try await base.restart(log, after: source, at: starts) }
        func append(_ events: EventBatch, advances: [PositionAdvance]) async throws {
            if !events.isEmpty, let error = refusal.withLock({ $0 }) { throw error }
            try await base.append(events, advances: advances)
        }
        func tryAppending(_ events: EventBatch) async throws {
            if let error = refusal.withLock({ $0 }) { throw error }
            try await base.tryAppending(events)
        }
        func fold(limit: Int) async throws -> FoldResult {
            folds.withLock { $0 += 1 }
            if let error = foldError.withLock({ $0 }) { throw error }
            return try await base.fold(limit: limit)
        }
        func unfolded(limit: Int) async throws -> Int { try await base.unfolded(limit: limit) }
        func read(_ queries: [ConversionQuery]) async throws -> ConversionReading {
            try await base.read(queries)
        }
    }

    static func chunk(_ range: Range<Int64>, handler: RecordingHandler = RecordingHandler())
        -> Chunk
    {
        var records = range.map { offset in
            Record.of(
                """
                {"event_id": "00000000-0000-4000-8000-00000000000\(offset)", "kind": "VIEW",
                 "product_id": "p", "occurred_at": "2026-10-30T12:00:00Z"}
                """, ordinal: Int(offset - range.lowerBound))
        }
        _ = ConversionEventDecoder().decode(
            &records, stage: "in", now: Timestamp(microseconds: 0))
        let advance = PositionAdvance(
            source: "events", partition: 0, expected: range.lowerBound, next: range.upperBound)
        return Chunk(
            records: records, advances: [advance], acknowledgement: Acknowledgement(handler))
    }

    static func views(_ store: any ReportStore) async throws -> Int64 {
        try await store.read([
            ConversionQuery(
                productID: "p", start: Timestamp(microseconds: CountedEvents.start),
                end: Timestamp(microseconds: CountedEvents.start + 5 * CountedEvents.day))
        ]).counts[0].views
    }

    @Test(
        "stores a chunk with its positions once, however often it is delivered",
        arguments: StoreKind.allCases)
    func once(kind: StoreKind) async throws {
        try await kind.withStore { store in
            let sink = EventStoreSink(store: store, stage: "counts", clock: .system)
            let positions = try #require(sink.positions)
            _ = try await positions.positions(of: "events", initial: [0: 0])
            for _ in 0..<2 { try await sink.deliver(Self.chunk(0..<4)) }
            try await sink.deliver(Self.chunk(4..<9))
            await #expect(throws: PipelineError.self) { try await sink.deliver(Self.chunk(0..<2)) }
            #expect(try await Self.views(store) == 9)
            #expect(try await positions.positions(of: "events", initial: [0: 0]) == [0: 9])
            await sink.close()
            #expect(try await Self.views(store) == 9)
        }
    }

    @Test("refuses a record that is no event, and stores the others")
    func rejections() async throws {
        try await StoreKind.sqlite.withStore { store in
            let sink = EventStoreSink(store: store, stage: "counts", clock: .system)
            _ = try await store.positions(of: "events", initial: [0: 0])
            let handler = RecordingHandler()
            var chunk = Self.chunk(0..<5, handler: handler)
            chunk.records[2].body = [0xFF]
            chunk.records[3].body = []
            try await sink.deliver(chunk)
            let refused = handler.rejections.withLock { $0 }
            #expect(refused.map(\.record.ordinal) == [2, 3])
            #expect(refused.allSatisfy { $0.stage == "counts" })
            #expect(try await Self.views(store) == 3)
        }
    }

    @Test("rejects an event that the store refuses for itself, and stores the others once")
    func refusedSQLite() async throws {
        let database = SQLiteDatabase.inMemory()
        let store = SQLiteReportStore(database, clock: .system)
        try await store.migrate()
        try await database.write {
            try $0.execute(
                """
                CREATE TRIGGER refuse BEFORE INSERT ON conversion_events
                WHEN substr(hex(NEW.event_id), -1) IN ('1', '3')
                BEGIN SELECT RAISE(ABORT, 'not that one'); END
                """)
        }
        try await refused(store, code: "store-constraint")
    }

    @Test("does so in PostgreSQL")
    func refusedPostgres() async throws {
        try await TestDatabase.with { database in
            try await database.withStore { store in
                let pool = try database.pool()
                try await pool.withConnection {
                    try $0.run(
                        """
                        ALTER TABLE conversion.events ADD CHECK
                          (right(event_id::text, 1) NOT IN ('1', '3'))
                        """)
                }
                await pool.close()
                try await refused(store, code: "store-constraint")
            }
        }
    }

    private func refused(_ store: any ReportStore, code: ErrorCode) async throws {
        let sink = EventStoreSink(store: store, stage: "counts", clock: .system)
        _ = try await store.positions(of: "events", initial: [0: 0])
        let handler = RecordingHandler()
        try await sink.deliver(Self.chunk(0..<6, handler: handler))
        // The same again, after a lost answer.
        try await sink.deliver(Self.chunk(0..<6))
        let refused = handler.rejections.withLock { $0 }
        #expect(refused.map(\.record.ordinal) == [1, 3])
        #expect(refused.allSatisfy { $0.code == code && $0.stage == "counts" })
        #expect(try await Self.views(store) == 4)
        #expect(try await store.positions(of: "events", initial: [0: 0]) == [0: 6])
    }

    @Test("tells of a chunk that the store refuses to the last event, and of one that it takes")
    func refusesEverything() async throws {
        try await StoreKind.sqlite.withStore { base in
            let told = Mutex<[ErrorCode?]>([])
            let store = RecordingStore(base)
            store.refusal.withLock { $0 = .permanent("store-constraint", "botched") }
            let sink = EventStoreSink(
                store: store, stage: "counts", clock: .system,
                onRefusals: { error in told.withLock { $0.append(error?.code) } })
            _ = try await base.positions(of: "events", initial: [0: 0])
            let handler = RecordingHandler()
            try await sink.deliver(Self.chunk(0..<6, handler: handler))
            #expect(handler.rejections.withLock { $0 }.count == 6)
            #expect(told.withLock { $0 } == ["store-constraint"])
            #expect(try await base.positions(of: "events", initial: [0: 0]) == [0: 6])
            store.refusal.withLock { $0 = nil }
            try await sink.deliver(Self.chunk(6..<8))
            #expect(told.withLock { $0 } == ["store-constraint", nil])
        }
    }

    @Test("folds after so many events, after a while, and when it closes")
    func cadence() async throws {
        try await StoreKind.sqlite.withStore { base in
            let store = RecordingStore(base)
            let time = ManualClock()
            let sink = EventStoreSink(
                store: store, stage: "counts",
                cadence: .init(events: 3, interval: .seconds(10), limit: 100),
                clock: time.clock)
            _ = try await store.positions(of: "events", initial: [0: 0])
            var folds: [Int] = []
            for (range, now) in [(0..<1, 9), (1..<2, 9), (2..<3, 9), (3..<4, 18), (4..<5, 19)] {
                let start = Instant(nanoseconds: 0)
                time.advance(by: time.now.duration(to: start.advanced(by: .seconds(now))))
                try await sink.deliver(
                    Self.chunk(Int64(range.lowerBound)..<Int64(range.upperBound)))
                folds.append(store.folds.withLock { $0 })
            }
            #expect(folds == [0, 0, 1, 1, 2])
            await sink.close()
            #expect(store.folds.withLock { $0 } == 3)
        }
    }

    @Test("tells how many deltas a fold has left")
    func unfolded() async throws {
        try await StoreKind.sqlite.withStore { store in
            let told = Mutex<[Int]>([])
            let sink = EventStoreSink(
                store: store, stage: "counts", cadence: .init(events: 1, limit: 2), clock: .system,
                onUnfolded: { count in told.withLock { $0.append(count) } })
            _ = try await store.positions(of: "events", initial: [0: 0])
            let silent = EventStoreSink(store: store, stage: "counts", clock: .system)
            for first in Int64(0)..<4 { try await silent.deliver(Self.chunk(first..<first + 1)) }
            try await sink.deliver(Self.chunk(4..<5))
            #expect(told.withLock { $0 } == [3])
            await sink.close()
            await sink.close()
            #expect(told.withLock { $0 } == [3, 1, 0])
        }
    }

    @Test("goes on when folding fails, and says so")
    func foldFailure() async throws {
        try await StoreKind.sqlite.withStore { base in
            let store = RecordingStore(base)
            store.foldError.withLock { $0 = .retryable("store-busy", "later") }
            let failures = Mutex(0)
            let sink = EventStoreSink(
                store: store, stage: "counts", cadence: .init(events: 1), clock: .system,
                onFold: { error in if error != nil { failures.withLock { $0 += 1 } } })
            _ = try await store.positions(of: "events", initial: [0: 0])
            try await sink.deliver(Self.chunk(0..<2))
            #expect(failures.withLock { $0 } == 1)
            #expect(try await Self.views(store) == 2)
        }
    }

    @Test("keeps what a sink of records promises", arguments: RecordSinkConformance.checks)
    func conformance(_ check: RecordSinkConformance.Check) async throws {
        try await StoreKind.sqlite.withStore { store in
            let sink = EventStoreSink(store: store, stage: "counts", clock: .system)
            try await check.run(
                RecordSinkConformance(
                    sink, record: { Self.chunk(Int64($0)..<Int64($0 + 1)).records[0] }
                ) { Int(try await Self.views(store)) })
        }
    }
}
