internal import PipelineCore
internal import Protobuf

extension Message {
    /// Reads a record's payload in the format it says.
    static func read(from record: Record) throws(Refusal) -> Self {
        let result: Result<Self, Refusal>
        do {
            result = try PayloadFormat.decode(Self.self, from: record)
        } catch {
            throw .unreadable(error)
        }
        return try result.get()
    }

    /// Appends the binary form, which for these messages is canonical: fields in order, defaults
    /// left out, no maps.
    func write(to bytes: inout [UInt8]) {
        do {
            try serialize(appendingTo: &bytes)
        } catch {
            preconditionFailure("a message of at most 64 KiB can be written: \(error)")
        }
    }
}
