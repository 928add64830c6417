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

/// Canonical bodies, written by hand from the encoding's specification.
enum Golden {
    static let request =
        "0a2430313930613366322d356431632d376333652d396630302d3661316232633364346535661209"
        + "70726f647563742d311a03632d3122130a060880c5f6d50612090880829ad70610e8072a03616461"
        + "320608809cb8d806"
    static let event =
        "0a2430313930613366322d356431632d376333652d396630302d3661316232633364346535661002"
        + "1a0970726f647563742d312a0908c8a4f9d5061088273003"
}
