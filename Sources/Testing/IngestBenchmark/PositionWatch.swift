internal import PipelineCore
internal import Postgres

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
