public import PipelineCore

/// Made-up views and payments: a few popular products and many others, more by day than by night,
/// several checkouts.
///
/// The seed decides every event, ids included. Events come in order of time, in chunks of bounded
/// size.
public struct SampleData: Sendable, Sequence {
    public var seed: UInt64
    /// How many products there are: `product-1` is the most popular one.
    public var products: Int
    /// How many checkouts a product has: `checkout-1` takes the most. A tenth of the events have
    /// none.
    public var checkouts: Int
    /// First instant of the data. Not before 1970.
    public var start: Timestamp
    public var days: Int
    public var viewsPerDay: Int
    public var paymentsPerDay: Int
    /// Most events in a chunk.
    public var chunkSize: Int

    public init(
        seed: UInt64 = 1, products: Int = 1000, checkouts: Int = 3, start: Timestamp,
        days: Int = 30,
        viewsPerDay: Int = 10_000, paymentsPerDay: Int = 300, chunkSize: Int = 5000
    ) {
        precondition(products > 0 && checkouts >= 0 && days >= 0 && chunkSize > 0)
        precondition(viewsPerDay >= 0 && paymentsPerDay >= 0 && start.microseconds >= 0)
        self.seed = seed
        self.products = products
        self.checkouts = checkouts
        self.start = start
        self.days = days
        self.viewsPerDay = viewsPerDay
        self.paymentsPerDay = paymentsPerDay
        self.chunkSize = chunkSize
    }

    /// How many events there are.
    public var eventCount: Int { days * (viewsPerDay + paymentsPerDay) }

    public func makeIterator() -> SampleIterator { SampleIterator(self) }
}
