internal import PipelineCore
internal import Protobuf
internal import ReportMessages

/// A conversion event that satisfies the rules.
struct CheckedEvent {
    var id: UUID
    var kind: EventKind
    var occurredAt: Timestamp
    var count: Int32
}

extension ConversionEvent {
    /// Most views or payments of one event.
    static var countLimit: Int64 { 1_000_000 }

    /// Checks all fields; says all that is wrong at once.
    func checked() throws(Refusal) -> CheckedEvent {
        var rules = FieldRules()
        let id = rules.uuid(eventID, "event_id")
        let kind: EventKind?
        switch self.kind {
        case .view: kind = .view
        case .payment: kind = .payment
        case .unspecified, .unrecognized:
            kind = nil
            rules.violate("kind", "must be VIEW or PAYMENT")
        }
        rules.identifier(productID, "product_id")
        if let checkoutID { rules.identifier(checkoutID, "checkout_id", ifSet: true) }
        let time = rules.time(occurredAt, "occurred_at")
        let count = self.count ?? 1
        if !(1...Self.countLimit ~= count) {
            rules.violate("count", "must be from 1 to \(Self.countLimit)")
        }
        guard rules.violations.isEmpty, let id, let kind, let time else {
            throw .invalid(rules.violations)
        }
        return CheckedEvent(id: id, kind: kind, occurredAt: time, count: Int32(count))
    }
}

extension EventBatch {
    /// Appends an event in its canonical form.
    mutating func append(canonical body: Bytes) throws(Refusal) {
        let event: ConversionEvent
        do {
            event = try ConversionEvent(serializedBytes: body)
        } catch {
            throw .unreadable(error)
        }
        let checked = try event.checked()
        append(
            id: checked.id, kind: checked.kind, productID: event.productID,
            checkoutID: event.checkoutID, occurredAt: checked.occurredAt, count: checked.count)
    }
}
