internal import PipelineCore

/// Makes the events of ``SampleData``, chunk after chunk.
public struct SampleIterator: IteratorProtocol {
    private let data: SampleData
    private let rhythm: Rhythm
    private let viewed: WeightedChoice
    private let paid: WeightedChoice
    private let checkout: WeightedChoice
    private let productNames: [String]
    private let checkoutNames: [String?]
    private var random: SplitMix64
    private var hour = 0
    private var views = 0
    private var payments = 0
    private var made = 0
    private var inHour = 0

    init(_ data: SampleData) {
        self.data = data
        random = SplitMix64(seed: data.seed)
        rhythm = Rhythm(days: data.days)
        let popularity = (1...data.products).map { 1 / Double($0) }
        viewed = WeightedChoice(popularity)
        // Products differ in how well they convert.
        paid = WeightedChoice(
            popularity.enumerated().map { $1 * (0.5 + Double($0 &* 7919 % 16) / 10) })
        checkout = WeightedChoice(
            [0.1] + WeightedChoice.shares(data.checkouts).map { $0 * 0.9 })
        productNames = (1...data.products).map { "product-\($0)" }
        checkoutNames = [nil] + (0..<data.checkouts).map { "checkout-\($0 + 1)" }
        begin(hour: 0)
    }

    public mutating func next() -> EventBatch? {
        var batch = EventBatch()
        while batch.count < data.chunkSize {
            guard made < inHour else {
                guard hour + 1 < data.days * 24 else { break }
                begin(hour: hour + 1)
                continue
            }
            if batch.isEmpty { batch.reserveCapacity(data.chunkSize) }
            append(to: &batch)
        }
        return batch.isEmpty ? nil : batch
    }

    private mutating func begin(hour: Int) {
        self.hour = hour
        made = 0
        views = rhythm.share(of: data.days * data.viewsPerDay, hour: hour)
        payments = rhythm.share(of: data.days * data.paymentsPerDay, hour: hour)
        inHour = views + payments
    }

    private mutating func append(to batch: inout EventBatch) {
        let isPayment = Int(random.next() % UInt64(views + payments)) < payments
        if isPayment { payments -= 1 } else { views -= 1 }
        // Evenly spread over the hour, so that time only moves forward.
        let within = (Double(made) + random.unit()) / Double(inHour) * Double(Timestamp.hour)
        let time = data.start.microseconds + Int64(hour) * Timestamp.hour
        let product = (isPayment ? paid : viewed).pick(random.unit())
        batch.append(
            id: UUID(using: &random), kind: isPayment ? .payment : .view,
            productID: productNames[product],
            checkoutID: checkoutNames[checkout.pick(random.unit())],
            occurredAt: Timestamp(microseconds: time + min(Int64(within), Timestamp.hour - 1)))
        made += 1
    }
}

/// How a total spreads over the hours of several days: quiet nights, busy evenings, busier
/// weekends.
private struct Rhythm: Sendable {
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

/// Picks indices in proportion to their weights.
private struct WeightedChoice: Sendable {
    private let cumulative: [Double]

    init(_ weights: [Double]) {
        var sum = 0.0
        cumulative = weights.map { weight in
            sum += weight
            return sum
        }
    }

    /// Harmonic weights that sum up to 1; the first is the largest.
    static func shares(_ count: Int) -> [Double] {
        let weights = (0..<count).map { 1 / Double($0 + 1) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }

    /// - Parameter unit: uniform in 0 ..< 1.
    func pick(_ unit: Double) -> Int {
        let wanted = unit * cumulative[cumulative.count - 1]
        var low = 0
        var high = cumulative.count - 1
        while low < high {
            let middle = (low + high) / 2
            if cumulative[middle] > wanted { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
