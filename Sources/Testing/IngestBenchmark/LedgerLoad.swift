internal import Batching
internal import ConversionReports
internal import Kafka
internal import Ledger
internal import PipelineCore
internal import Postgres
internal import PostgresLedger
internal import Synchronization

/// Hands ready chunks to the ledger: what accepting costs without anything before it.
final class LedgerLoad: Sendable {
    private static let chunk = 512
    private static let topic = "ledger-load"

    private let pool: PostgresPool
    private let records: Int
    private let connections: Int
    private let progress: Mutex<(accepted: Int, rate: SteadyRate)>

    /// - Parameter connections: each works on a partition of its own.
    init(pool: PostgresPool, records: Int, connections: Int) {
        self.pool = pool
        self.records = records
        self.connections = connections
        progress = Mutex((0, SteadyRate(of: records)))
    }

    /// - Returns: records a second.
    func run() async throws -> Double {
        let provider = PostgresLedgerProvider(pool: pool)
        try await provider.migrateLedger()
        let rule = BatchingRule(trigger: .manual, maxBatch: Self.chunk, minInterval: .zero)
        let ledger = try provider.ledger(
            for: LedgerStage(
                pipeline: "benchmark", stage: "batch", rule: rule, ruleText: "manual",
                revision: nil, sla: .seconds(86_400)))
        try await ledger.register()
        let partitions = (0..<Int32(connections))
        _ = try await ledger.positions(
            of: LogName(Self.topic),
            initial: Dictionary(uniqueKeysWithValues: partitions.map { ($0, 0) }))
        let shares = partitions.map { submissions(of: $0) }

        try await withThrowingTaskGroup(of: Void.self) { group in
            for share in shares { group.addTask { try await self.hand(share, to: ledger) } }
            try await group.waitForAll()
        }
        return progress.withLock(\.rate.perSecond) ?? 0
    }

    private func hand(_ share: [Submissions], to ledger: any Ledger) async throws {
        for submissions in share {
            guard case .accepted = try await ledger.accept(submissions) else {
                throw PipelineError.fatal(.conflict, "a sample is not accepted")
            }
            progress.withLock { progress in
                progress.accepted += submissions.count
                progress.rate.note(progress.accepted)
            }
        }
    }

    private func submissions(of partition: Int32) -> [Submissions] {
        let decoder = ReportRequestDecoder()
        let share = records / connections
        let first = Int(partition) * share
        return stride(from: 0, to: share, by: Self.chunk).map { start in
            let end = min(start + Self.chunk, share)
            var records = (start..<end).map {
                Record(
                    payload: SampleRequests.json(first + $0), timestamp: .init(microseconds: 0),
                    origin: Origin(source: Self.topic, partition: partition, offset: Int64($0)))
            }
            let refused = decoder.decode(&records, stage: "", now: .init(microseconds: 0))
            precondition(refused.isEmpty, "samples are valid")
            var submissions = Submissions(advances: [
                PositionAdvance(
                    source: Self.topic, partition: partition, expected: Int64(start),
                    next: Int64(end))
            ])
            submissions.reserveCapacity(records.count)
            for record in records {
                guard let id = record.id, let digest = record.digest else { continue }
                submissions.append(
                    id: id, digest: digest, deadline: record.deadline, parameters: record.body)
            }
            return submissions
        }
    }
}

/// Report requests as users send them: a random case each, many products, a deadline for one in
/// four.
private enum SampleRequests {
    static func json(_ index: Int) -> Bytes {
        var random = SplitMix64(seed: UInt64(index) &* 0x2545_F491_4F6C_DD1D)
        let id = UUID(using: &random)
        let product = random.next() % 50_000
        let day = random.next() % 19 + 10
        let deadline = index % 4 == 0 ? #","deadline":"2099-05-\#(day)T12:00:00Z""# : ""
        return Array(
            """
            {"case_id":"\(id)","product_id":"product-\(product)",\
            "period":{"start_time":"2026-04-\(day)T00:00:00Z","end_time":"2026-06-\(day)T00:00:00Z"},\
            "requester":"user-\(product % 1000)@example.com"\(deadline)}
            """.utf8)[...]
    }
}

/// Fills a topic with requests.
struct Preload {
    private static let chunk = 8192

    let bus: KafkaBus
    let topic: String
    let records: Int

    func run() async throws {
        try await createTopic()
        let producer = try await bus.producer()
        for start in stride(from: 0, to: records, by: Self.chunk) {
            let range = start..<min(start + Self.chunk, records)
            let requests = range.map { OutgoingRecord(key: nil, payload: SampleRequests.json($0)) }
            let refused = try await producer.send(requests, to: topic)
            if let error = refused.values.first { throw error }
        }
        await producer.close()
    }

    /// A broker that has just started may refuse for a while.
    private func createTopic() async throws {
        for _ in 0..<30 {
            do { return try await bus.ensureTopic(topic, partitions: 3) } catch let error
                as PipelineError where error.disposition == .retryable
            {
                try await ContinuousClock().sleep(for: .seconds(1))
            }
        }
        try await bus.ensureTopic(topic, partitions: 3)
    }
}

/// Watches the stored positions of a pipeline grow.
struct PositionWatch {
    private static let interval = Duration.milliseconds(50)
    private static let patience = Duration.seconds(60)

    let pool: PostgresPool
    let records: Int

    /// - Returns: records a second, once all are stored.
    /// - Throws: when nothing has moved for a minute.
    func run() async throws -> Double {
        var rate = SteadyRate(of: records)
        var stored = 0
        var moved = ContinuousClock.now
        while stored < records {
            let now = try await pool.withConnection { connection in
                try connection.query(
                    "select coalesce(sum(next_offset), 0)::bigint from penstock.positions"
                ).int(0, 0)
            }
            rate.note(now)
            if now != stored { moved = .now }
            if moved.duration(to: .now) > Self.patience {
                throw PipelineError.fatal(
                    .stuck, "the stored positions stay at \(now) of \(records)")
            }
            stored = now
            try await ContinuousClock().sleep(for: Self.interval)
        }
        return rate.perSecond ?? 0
    }
}

extension ErrorCode {
    fileprivate static let stuck = ErrorCode(
        "stuck", .failure, "The stored positions no longer move.",
        remedy: "Read the pipeline's log.")
}

/// The steady rate of a run: records a second between 10 % and 90 % of them.
struct SteadyRate {
    private let wanted: Int
    private var first: (count: Int, time: ContinuousClock.Instant)?
    private var last: (count: Int, time: ContinuousClock.Instant)?

    init(of wanted: Int) { self.wanted = wanted }

    mutating func note(_ count: Int) {
        let now = ContinuousClock.now
        if first == nil, count * 10 >= wanted { first = (count, now) }
        if last == nil, count * 10 >= wanted * 9 { last = (count, now) }
    }

    /// Records a second; `nil` before 90 % have been noted.
    var perSecond: Double? {
        guard let first, let last, first.time < last.time else { return nil }
        let seconds = (last.time - first.time) / .seconds(1)
        return Double(last.count - first.count) / seconds
    }
}
