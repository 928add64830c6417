import ConversionReports
import Glibc
import PipelineCore
import Postgres
import SQLite
import Testing

/// Every store that keeps events: what holds for one must hold for all.
enum StoreKind: String, CaseIterable, CustomTestStringConvertible {
    case postgres, sqlite

    var testDescription: String { rawValue }

    /// Runs `body` with a fresh, migrated store, which is gone afterwards.
    func withStore(
        location: SourceLocation = #_sourceLocation,
        _ body: (any ReportStore) async throws -> Void
    ) async throws {
        switch self {
        case .postgres:
            try await TestDatabase.with(location: location) { database in
                try await database.withStore(body)
            }
        case .sqlite:
            let folder = TemporaryFolder()
            let database = SQLiteDatabase(path: folder.file("reports.sqlite"))
            let store = SQLiteReportStore(database, clock: .system)
            try await store.migrate()
            try await body(store)
            await database.close()
        }
    }
}

/// A PostgreSQL database of its own for one test.
struct TestDatabase {
    let address: ResourceAddress

    static func with(
        location: SourceLocation = #_sourceLocation,
        _ body: (TestDatabase) async throws -> Void
    ) async throws {
        let url = try #require(
            unsafe getenv("PENSTOCK_TEST_POSTGRES").map { unsafe String(cString: $0) },
            "set PENSTOCK_TEST_POSTGRES (deploy/test-servers start DIR postgres)",
            sourceLocation: location)
        let name = "reports_\(RandomSource().next())"
        let server = try #require(ResourceAddress(url: url))
        let administration = try PostgresPool(server, options: .init(connections: 1))
        try await administration.withConnection {
            try $0.run("CREATE DATABASE \(identifier: name)")
        }
        let address = ResourceAddress(url: url, properties: ["dbname": name])!
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(TestDatabase(address: address)))
        } catch {
            result = .failure(error)
        }
        try await administration.withConnection {
            try $0.run("DROP DATABASE \(identifier: name) WITH (FORCE)")
        }
        await administration.close()
        try result.get()
    }

    func pool() throws -> PostgresPool { try PostgresPool(address) }

    func withStore(_ body: (PostgresReportStore) async throws -> Void) async throws {
        let pool = try pool()
        let store = PostgresReportStore(pool: pool)
        try await store.migrate()
        try await body(store)
        await store.close()
        await pool.close()
    }
}

/// A folder of a test's own, removed with its files when the value goes.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/penstock-reports-XXXXXX".utf8CString)
        path = unsafe template.withUnsafeMutableBufferPointer { buffer in
            unsafe String(cString: mkdtemp(buffer.baseAddress!))
        }
    }

    deinit {
        for name in ["reports.sqlite", "reports.sqlite-wal", "reports.sqlite-shm"] {
            unsafe unlink(file(name))
        }
        unsafe rmdir(path)
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }
}

/// Events that are counted one by one: what stores must agree with.
struct CountedEvents {
    struct Event {
        var kind: EventKind
        var product: String
        var checkout: String?
        var time: Int64
        var count: Int32
    }
    static let hour: Int64 = 3_600_000_000
    static let day = 24 * hour
    /// 2026-10-28T00:00:00Z: months, days and hours begin within the next days.
    static let start: Int64 = 1_793_145_600_000_000

    var events: [Event] = []
    var random: SplitMix64
    let products = ["boots", "böots", "bo\u{308}ots", "hat's", "gloves"]
    let checkouts: [String?] = [nil, "web", "app"]

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    mutating func below(_ bound: Int) -> Int {
        Int(truncatingIfNeeded: random.next() % UInt64(bound))
    }

    /// A time of five days, often at an hour's or a day's begin or a microsecond beside.
    mutating func anyTime() -> Int64 {
        let time = Self.start + Int64(below(5 * 24 * 3600)) * 1_000_000 + Int64(below(1_000_000))
        switch below(6) {
        case 0: return time / Self.hour * Self.hour + Int64(below(3) - 1)
        case 1: return time / Self.day * Self.day + Int64(below(3) - 1)
        default: return time
        }
    }

    /// Makes events, remembers them, and hands them out as a batch.
    mutating func make(_ count: Int) -> EventBatch {
        var batch = EventBatch()
        for _ in 0..<count {
            let event = Event(
                kind: below(4) == 0 ? .payment : .view, product: products[below(products.count)],
                checkout: checkouts[below(checkouts.count)], time: max(anyTime(), 0),
                count: Int32(below(5) == 0 ? 1 + below(1000) : 1))
            events.append(event)
            batch.append(
                id: UUID(using: &random), kind: event.kind, productID: event.product,
                checkoutID: event.checkout, occurredAt: Timestamp(microseconds: event.time),
                count: event.count)
        }
        return batch
    }

    /// A query whose ends lie anywhere, on an event, or a microsecond beside one.
    mutating func query() -> ConversionQuery {
        var ends = (end(), end())
        if ends.0 > ends.1 { ends = (ends.1, ends.0) }
        if ends.0 == ends.1 { ends.1 += 1 }
        return ConversionQuery(
            productID: products[below(products.count)],
            checkoutID: below(2) == 0 ? checkouts[below(checkouts.count)] : nil,
            start: Timestamp(microseconds: ends.0), end: Timestamp(microseconds: ends.1))
    }

    private mutating func end() -> Int64 {
        if below(2) == 0 || events.isEmpty { return anyTime() }
        return events[below(events.count)].time + Int64(below(3) - 1)
    }

    /// Counts every single event. Texts by their bytes, the period half-open.
    func count(_ query: ConversionQuery) -> ConversionCounts {
        var counts = ConversionCounts(views: 0, payments: 0)
        for event in events
        where Array(event.product.utf8) == Array(query.productID.utf8)
            && (query.checkoutID == nil || event.checkout == query.checkoutID)
            && event.time >= query.start.microseconds && event.time < query.end.microseconds
        {
            switch event.kind {
            case .view: counts.views += Int64(event.count)
            case .payment: counts.payments += Int64(event.count)
            }
        }
        return counts
    }
}
