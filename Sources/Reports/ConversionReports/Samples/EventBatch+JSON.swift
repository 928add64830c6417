internal import PipelineCore
internal import Protobuf
internal import ReportMessages

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
