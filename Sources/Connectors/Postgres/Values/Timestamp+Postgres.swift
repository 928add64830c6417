internal import PipelineCore

/// Binary `timestamptz`: microseconds since 2000-01-01T00:00:00Z
/// ([documentation](https://www.postgresql.org/docs/current/datatype-datetime.html)).
extension Timestamp {
    private static let epoch: Int64 = 946_684_800_000_000
    /// 4714-11-24 BC and 294277 AD: what lies outside is an infinity.
    private static let range: Range<Int64> = -211_813_488_000_000_000..<9_223_371_331_200_000_000

    init(postgres: Int64) {
        guard Self.range.contains(postgres) else {
            self.init(microseconds: postgres < 0 ? .min : .max)
            return
        }
        let (sum, overflow) = postgres.addingReportingOverflow(Self.epoch)
        self.init(microseconds: overflow ? .max : sum)
    }

    var postgres: Int64 {
        let (difference, overflow) = microseconds.subtractingReportingOverflow(Self.epoch)
        if overflow { return .min }
        if microseconds != .max, Self.range.contains(difference) { return difference }
        return difference < 0 ? .min : .max
    }
}
