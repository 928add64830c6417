public import PipelineCore

/// What one report asks a store: a product, perhaps one of its checkouts, and a half-open period.
public struct ConversionQuery: Sendable {
    public var productID: String
    /// `nil`: all checkouts, and events without one.
    public var checkoutID: String?
    /// First instant of the period.
    public var start: Timestamp
    /// First instant after the period.
    public var end: Timestamp

    public init(productID: String, checkoutID: String? = nil, start: Timestamp, end: Timestamp) {
        self.productID = productID
        self.checkoutID = checkoutID
        self.start = start
        self.end = end
    }
}

/// What happened in a period.
public struct ConversionCounts: Sendable, Hashable {
    public var views: Int64
    public var payments: Int64

    public init(views: Int64, payments: Int64) {
        self.views = views
        self.payments = payments
    }

    /// Views divided by payments; `nil` without payments.
    public var ratio: Double? {
        payments > 0 ? Double(views) / Double(payments) : nil
    }
}

/// Answers of a store, all from one snapshot.
public struct ConversionReading: Sendable {
    /// One for each query, in their order.
    public var counts: [ConversionCounts]
    /// Everything stored by this instant of the store's clock is counted.
    public var dataAsOf: Timestamp
    /// Rows of rollups, deltas and events that were summed up.
    public var rowsRead: Int64

    public init(counts: [ConversionCounts], dataAsOf: Timestamp, rowsRead: Int64) {
        self.counts = counts
        self.dataAsOf = dataAsOf
        self.rowsRead = rowsRead
    }
}
