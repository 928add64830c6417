public import PipelineCore
internal import Protobuf
internal import ReportMessages

/// The codec `conversion-event`: reads `conversionreports.v1.ConversionEvent`.
///
/// Formats and limits as ``ReportRequestDecoder``. A record's `id` is the `event_id`, its digest
/// covers all fields.
///
/// | field | rule |
/// |---|---|
/// | `event_id` | a UUID |
/// | `kind` | `VIEW` or `PAYMENT` |
/// | `product_id` | 1 to 200 bytes of UTF-8, no U+0000 |
/// | `checkout_id` | if set, likewise |
/// | `occurred_at` | in the years 1970 to 9999; what is finer than a microsecond is cut off |
/// | `count` | 1 to 1,000,000; 1 if not set |
public struct ConversionEventDecoder: RecordDecoder {
    /// The name of the codec in pipeline files.
    public static let name = "conversion-event"

    public init() {}

    public var rejectionCodes: [ErrorCode] { Refusal.codes }

    public func decode(_ records: inout [Record], stage: String, now: Timestamp) -> [Rejection] {
        records.decodeAll(stage: stage) { (record, bodies) throws(Refusal) in
            var event = try ConversionEvent.read(from: record)
            let checked = try event.checked()
            event.canonicalize(checked)
            let start = bodies.count
            event.write(to: &bodies)
            record.id = checked.id
            record.digest = Digest(of: bodies[start...])
        }
    }
}

extension ConversionEvent {
    /// Brings what may be spelt in several ways into one form.
    fileprivate mutating func canonicalize(_ checked: CheckedEvent) {
        if eventID.utf8.contains(where: { $0 < 0x61 && $0 > 0x40 }) {
            eventID = checked.id.description
        }
        occurredAt = Google_Protobuf_Timestamp(checked.occurredAt)
        count = checked.count == 1 ? nil : Int64(checked.count)
    }
}

/// A conversion event that satisfies the rules.
private struct CheckedEvent {
    var id: UUID
    var kind: EventKind
    var occurredAt: Timestamp
    var count: Int32
}

extension ConversionEvent {
    /// Most views or payments of one event.
    private static var countLimit: Int64 { 1_000_000 }

    /// Checks all fields; says all that is wrong at once.
    fileprivate func checked() throws(Refusal) -> CheckedEvent {
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
