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

extension SplitMix64 {
    /// Uniform in 0 ..< 1.
    fileprivate mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
