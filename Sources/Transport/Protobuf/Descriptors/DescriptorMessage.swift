/// The messages of `descriptor.proto` and `plugin.proto`, as far as the generator and reflection read
/// them. They are written by hand, since the generator cannot generate what it is made of.
package protocol DescriptorMessage: Message {}

extension DescriptorMessage {
    package static var protoMessageName: String { "\(self)" }
    package static var fields: FieldTable { FieldTable([:]) }

    package func encode<Sink: FieldSink & ~Copyable>(
        into sink: inout Sink
    ) throws(ProtobufError) {
        throw ProtobufError(.unencodable, "descriptors are only read")
    }

    package mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool { false }

    package func encode(to writer: inout BinaryWriter) throws(ProtobufError) {
        try encode(into: &writer)
    }

    package mutating func merge(from reader: inout BinaryReader) throws(ProtobufError) {
        try mergeFields(from: &reader)
    }

    package func encodeJSON(to writer: inout JSONWriter) throws(ProtobufError) {
        try writeFields(to: &writer)
    }

    package mutating func mergeJSON(from reader: inout JSONReader) throws(ProtobufError) {
        try mergeFields(from: &reader)
    }
}
