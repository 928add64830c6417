public import PipelineCore

/// Events on their way into a store: a row each, their texts in one buffer, so that an event costs
/// no allocation of its own.
///
/// Nothing here makes an event count once: that is the doing of the positions that advance in the
/// transaction which stores it (``ReportStore/append(_:advances:)``). Two records with the same
/// `event_id` count twice.
public struct EventBatch: Sendable {
    /// One event; its texts lie in the batch's buffer, product before checkout.
    struct Row: Sendable {
        var id: UUID
        var occurredAt: Timestamp
        var count: Int32
        var kind: EventKind
        var textStart: Int
        var productLength: Int
        /// 0: no checkout.
        var checkoutLength: Int
    }

    private(set) var rows: [Row] = []
    private(set) var texts: [UInt8] = []

    public init() {}

    /// How many events there are.
    public var count: Int { rows.count }
    public var isEmpty: Bool { rows.isEmpty }

    public mutating func reserveCapacity(_ count: Int) {
        rows.reserveCapacity(count)
        texts.reserveCapacity(count * 32)
    }

    /// Empties the batch and keeps its memory for the next events.
    public mutating func removeAll() {
        rows.removeAll(keepingCapacity: true)
        texts.removeAll(keepingCapacity: true)
    }

    /// Appends an event that satisfies the rules of `conversion-event` (``EventRules``).
    ///
    /// - Parameters:
    ///   - checkoutID: `nil` for an event without one.
    ///   - occurredAt: not before 1970.
    ///   - count: how many views or payments it stands for; at least 1.
    public mutating func append(
        id: UUID, kind: EventKind, productID: String, checkoutID: String?, occurredAt: Timestamp,
        count: Int32 = 1
    ) {
        precondition(count > 0 && occurredAt.microseconds >= 0, "not a valid event")
        let start = texts.count
        texts.append(contentsOf: productID.utf8)
        let productLength = texts.count - start
        if let checkoutID { texts.append(contentsOf: checkoutID.utf8) }
        rows.append(
            Row(
                id: id, occurredAt: occurredAt, count: count, kind: kind, textStart: start,
                productLength: productLength,
                checkoutLength: texts.count - start - productLength))
    }

    /// The product's bytes (UTF-8).
    func product(of row: Row) -> Bytes {
        texts[row.textStart..<row.textStart + row.productLength]
    }

    /// The checkout's bytes; empty without one.
    func checkout(of row: Row) -> Bytes {
        let start = row.textStart + row.productLength
        return texts[start..<start + row.checkoutLength]
    }
}
