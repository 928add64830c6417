/// A message that wraps one value to give it presence, and whose JSON form is that value.
public protocol WrapperMessage: Message {
    associatedtype Codec: FieldCodec
    var value: Codec.Value { get set }
}

extension WrapperMessage {
    public init(_ value: Codec.Value) {
        self.init()
        self.value = value
    }

    public mutating func mergeJSON(from reader: inout JSONReader) throws(ProtobufError) {
        _ = try Codec.mergeJSON(&value, from: &reader)
    }

    public func encodeJSON(to writer: inout JSONWriter) throws(ProtobufError) {
        try Codec.writeJSON(value, to: &writer)
    }
}

extension Google_Protobuf_BoolValue: WrapperMessage { public typealias Codec = BoolField }
extension Google_Protobuf_BytesValue: WrapperMessage { public typealias Codec = BytesField }
extension Google_Protobuf_DoubleValue: WrapperMessage { public typealias Codec = DoubleField }
extension Google_Protobuf_FloatValue: WrapperMessage { public typealias Codec = FloatField }
extension Google_Protobuf_Int32Value: WrapperMessage { public typealias Codec = Int32Field }
extension Google_Protobuf_Int64Value: WrapperMessage { public typealias Codec = Int64Field }
extension Google_Protobuf_StringValue: WrapperMessage { public typealias Codec = StringField }
extension Google_Protobuf_UInt32Value: WrapperMessage { public typealias Codec = UInt32Field }
extension Google_Protobuf_UInt64Value: WrapperMessage { public typealias Codec = UInt64Field }
