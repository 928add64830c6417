public import PipelineCore
internal import Protobuf
internal import ReportMessages

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

/// Single made-up messages, as JSON: what users and shops send.
public enum SamplePayload {
    private static let products = 1000
    private static let checkouts = 3
    private static let day: Int64 = 86_400_000_000

    /// A request for a report on some days before `now`.
    @Sendable public static func request(_ random: RandomSource, now: Timestamp) -> Bytes {
        let today = now.microseconds - now.microseconds % day
        let end = max(day, today)
        let days = Int64(1 + random.below(30))
        var request = ReportRequest()
        request.caseID = random.uuid().description
        request.productID = "product-\(1 + random.below(products))"
        if random.below(4) == 0 { request.checkoutID = "checkout-\(1 + random.below(checkouts))" }
        var period = Period()
        period.startTime = Google_Protobuf_Timestamp(
            Timestamp(microseconds: max(0, end - days * day)))
        period.endTime = Google_Protobuf_Timestamp(Timestamp(microseconds: end))
        request.period = period
        return json(request)
    }

    /// A view or a payment that happened at `now`.
    @Sendable public static func event(_ random: RandomSource, now: Timestamp) -> Bytes {
        var event = ConversionEvent()
        event.eventID = random.uuid().description
        event.kind = random.below(30) == 0 ? .payment : .view
        event.productID = "product-\(1 + random.below(products))"
        if random.below(10) > 0 { event.checkoutID = "checkout-\(1 + random.below(checkouts))" }
        event.occurredAt = Google_Protobuf_Timestamp(now)
        return json(event)
    }

    private static func json(_ message: some Message) -> Bytes {
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        guard let bytes = try? message.jsonUTF8Bytes(options: options) as [UInt8] else {
            preconditionFailure("made-up messages hold nothing that JSON can't")
        }
        return bytes[...]
    }
}

extension EventBatch {
    /// Appends every event as a line of ProtoJSON, as the codec `conversion-event` reads it.
    public func writeJSONLines(to text: inout [UInt8]) throws {
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        for row in rows {
            text += try message(of: row).jsonUTF8Bytes(options: options)
            text.append(UInt8(ascii: "\n"))
        }
    }

    private func message(of row: Row) -> ConversionEvent {
        var event = ConversionEvent()
        event.eventID = row.id.description
        switch row.kind {
        case .view: event.kind = .view
        case .payment: event.kind = .payment
        }
        event.productID = String(decoding: product(of: row), as: UTF8.self)
        if row.checkoutLength > 0 {
            event.checkoutID = String(decoding: checkout(of: row), as: UTF8.self)
        }
        event.occurredAt = Google_Protobuf_Timestamp(row.occurredAt)
        event.count = row.count == 1 ? nil : Int64(row.count)
        return event
    }
}

/// Loads sample data into a store, writes it as JSON lines, or both: the very same events.
public struct SampleLoader: Sendable {
    /// How far loading has come.
    public struct Progress: Sendable, Hashable {
        public var events: Int
        public var total: Int
    }

    /// Where the events go; `nil`: nowhere.
    public var store: (any ReportStore)?
    /// Takes the lines of a chunk, as the codec `conversion-event` reads them.
    public var emit: (@Sendable (Bytes) async throws -> Void)?
    /// Called after every chunk.
    public var progress: @Sendable (Progress) -> Void

    public init(
        store: (any ReportStore)?, emit: (@Sendable (Bytes) async throws -> Void)? = nil,
        progress: @escaping @Sendable (Progress) -> Void = { _ in }
    ) {
        self.store = store
        self.emit = emit
        self.progress = progress
    }

    /// Streams all of it, a chunk in memory at a time, and folds the deltas.
    ///
    /// Every call appends: loading the same data twice counts it twice.
    public func load(_ data: SampleData) async throws {
        var done = 0
        var unfolded = 0
        var text: [UInt8] = []
        for chunk in data {
            if let emit {
                text.removeAll(keepingCapacity: true)
                try chunk.writeJSONLines(to: &text)
                try await emit(text[...])
            }
            if let store {
                try await store.append(chunk, advances: [])
                unfolded += chunk.count
                if unfolded >= Self.foldLimit {
                    try await fold(store)
                    unfolded = 0
                }
            }
            done += chunk.count
            progress(Progress(events: done, total: data.eventCount))
        }
        if let store { try await fold(store) }
    }

    /// Deltas in one fold.
    private static let foldLimit = 50_000

    /// Until nothing is left, or somebody else sees to it.
    private func fold(_ store: any ReportStore) async throws {
        while try await store.fold(limit: Self.foldLimit) == .folded(Self.foldLimit) {}
    }
}
