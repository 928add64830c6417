import PipelineCore
import Testing

extension Record {
    /// A record as a source makes it, JSON if nothing else is said.
    static func of(
        _ payload: String, contentType: String? = nil, ordinal: Int = 0
    ) -> Record {
        of(Array(payload.utf8), contentType: contentType, ordinal: ordinal)
    }

    static func of(
        _ payload: [UInt8], contentType: String? = nil, ordinal: Int = 0
    ) -> Record {
        Record(
            payload: payload[...],
            headers: contentType.map { [Header("content-type", $0)] } ?? [],
            timestamp: Timestamp(microseconds: 0),
            origin: Origin(source: "requests", offset: Int64(ordinal)), ordinal: ordinal)
    }
}

extension RecordDecoder {
    /// Decodes one record: the record as it goes on, or why it does not.
    func decode(_ record: Record) -> Result<Record, RefusedRecord> {
        var records = [record]
        let rejections = decode(&records, stage: "in", now: Timestamp(microseconds: 0))
        if let rejection = rejections.first {
            #expect(rejections.count == 1 && records.isEmpty)
            #expect(rejection.stage == "in")
            return .failure(RefusedRecord(rejection: rejection))
        }
        return .success(records[0])
    }

    /// The rejection of a record that must be refused.
    func rejection(of record: Record) throws -> Rejection {
        switch decode(record) {
        case .success: throw NotRefused()
        case .failure(let refused): refused.rejection
        }
    }
}

struct RefusedRecord: Error {
    var rejection: Rejection
}

struct NotRefused: Error {}

extension Collection<UInt8> {
    var hex: String {
        let digits = Array("0123456789abcdef")
        return String(flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
