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

    public var rejectionCodes: [String] { Refusal.codes }

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
