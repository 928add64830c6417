public import PipelineCore
internal import Protobuf
internal import ReportMessages

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
