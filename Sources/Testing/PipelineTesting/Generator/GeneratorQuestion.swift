public import PipelineCore

/// Something that happened, for generators of conversion reports to count.
public struct GeneratorEvent: Sendable {
    public var isPayment: Bool
    public var product: String
    public var checkout: String?
    public var time: Timestamp
    /// How many events it stands for.
    public var count: Int32
}

/// What one case asks: views and payments of a half-open period.
public struct GeneratorQuestion: Sendable, Hashable {
    public var product: String
    /// `nil`: all checkouts.
    public var checkout: String?
    public var start: Timestamp
    public var end: Timestamp

    public init(product: String, checkout: String?, start: Timestamp, end: Timestamp) {
        self.product = product
        self.checkout = checkout
        self.start = start
        self.end = end
    }
}

/// What an encoded report says.
public struct GeneratorAnswer: Sendable, Hashable {
    public var caseID: UUID
    public var question: GeneratorQuestion
    public var views: Int64
    public var payments: Int64
    public var ratio: Double?
    public var dataAsOf: Timestamp

    public init(
        caseID: UUID, question: GeneratorQuestion, views: Int64, payments: Int64, ratio: Double?,
        dataAsOf: Timestamp
    ) {
        self.caseID = caseID
        self.question = question
        self.views = views
        self.payments = payments
        self.ratio = ratio
        self.dataAsOf = dataAsOf
    }
}
