/// How a total spreads over the hours of several days: quiet nights, busy evenings, busier
/// weekends.
struct Rhythm: Sendable {
    private static let hours: [Double] = [
        2.0, 1.3, 0.9, 0.7, 0.6, 0.8, 1.4, 2.4, 3.6, 4.6, 5.2, 5.6,
        5.8, 5.6, 5.3, 5.2, 5.4, 5.8, 6.4, 7.0, 7.4, 6.8, 5.2, 3.4,
    ]
    private let cumulative: [Double]

    init(days: Int) {
        var sum = 0.0
        var cumulative = [0.0]
        for day in 0..<days {
            let factor = day % 7 >= 5 ? 1.2 : 1.0
            for weight in Self.hours {
                sum += weight * factor
                cumulative.append(sum)
            }
        }
        self.cumulative = cumulative
    }

    /// The hour's part of `total`; the parts of all hours sum up to it.
    func share(of total: Int, hour: Int) -> Int {
        guard hour + 1 < cumulative.count else { return 0 }
        return upTo(hour + 1, of: total) - upTo(hour, of: total)
    }

    private func upTo(_ hour: Int, of total: Int) -> Int {
        if hour == cumulative.count - 1 { return total }
        return Int(Double(total) * (cumulative[hour] / cumulative[cumulative.count - 1]))
    }
}
