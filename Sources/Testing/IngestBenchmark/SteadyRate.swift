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
