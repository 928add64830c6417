internal import PipelineCore

/// Records as lines.
enum LineBytes {
    static func joined(_ records: [OutgoingRecord]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(records.reduce(0) { $0 + $1.payload.count + 1 })
        for record in records {
            // A line break inside would make two records of one.
            bytes.append(contentsOf: record.payload.lazy.map { $0 == 0x0A ? 0x20 : $0 })
            bytes.append(0x0A)
        }
        return bytes
    }

    /// A refused line with its reason before it.
    static func explained(_ record: OutgoingRecord) -> OutgoingRecord {
        let reason = record.headers.last { $0.name == "penstock-reason" }?.value ?? []
        var copy = record
        copy.payload = ("refused: ".utf8 + reason + ": ".utf8 + record.payload)[...]
        return copy
    }
}
