extension Google_Protobuf_Any {
    /// Packs a message under its type's URL, as `google.rpc.Status` carries its details.
    ///
    /// - Throws: ``ProtobufError`` when the message cannot be encoded.
    public init<M: Message>(packing message: M) throws(ProtobufError) {
        self.init()
        typeURL = "type.googleapis.com/" + M.protoMessageName
        value = try message.serializedBytes()
    }

    /// The full name of the packed message's type.
    public var messageName: String {
        typeURL.split(separator: "/").last.map(String.init) ?? ""
    }

    /// Unpacks a message.
    ///
    /// - Returns: nil when the packed message is of another type.
    /// - Throws: ``ProtobufError`` when its bytes are none of that type.
    public func unpack<M: Message>(as _: M.Type = M.self) throws(ProtobufError) -> M? {
        messageName == M.protoMessageName ? try M(serializedBytes: value) : nil
    }
}

extension Google_Protobuf_Any {
    /// Types whose JSON form is no plain object: it stands under the key `value`.
    private static let withOwnJSON: [any Message.Type] = [
        Google_Protobuf_Any.self, Google_Protobuf_BoolValue.self,
        Google_Protobuf_BytesValue.self, Google_Protobuf_DoubleValue.self,
        Google_Protobuf_Duration.self, Google_Protobuf_FieldMask.self,
        Google_Protobuf_FloatValue.self, Google_Protobuf_Int32Value.self,
        Google_Protobuf_Int64Value.self, Google_Protobuf_ListValue.self,
        Google_Protobuf_StringValue.self, Google_Protobuf_Struct.self,
        Google_Protobuf_Timestamp.self, Google_Protobuf_UInt32Value.self,
        Google_Protobuf_UInt64Value.self, Google_Protobuf_Value.self,
    ]
    /// Types that can be packed without the options naming them.
    private static let plain: [any Message.Type] = [
        Google_Protobuf_Empty.self, Google_Rpc_BadRequest.self, Google_Rpc_DebugInfo.self,
        Google_Rpc_ErrorInfo.self, Google_Rpc_Help.self, Google_Rpc_LocalizedMessage.self,
        Google_Rpc_PreconditionFailure.self, Google_Rpc_QuotaFailure.self,
        Google_Rpc_RequestInfo.self, Google_Rpc_ResourceInfo.self, Google_Rpc_RetryInfo.self,
        Google_Rpc_Status.self,
    ]

    private func packedType(
        among types: [any Message.Type]
    ) throws(ProtobufError) -> (type: any Message.Type, hasOwnJSON: Bool) {
        let name = messageName
        if let type = Self.withOwnJSON.first(where: { $0.protoMessageName == name }) {
            return (type, true)
        }
        if let type = (types + Self.plain).first(where: { $0.protoMessageName == name }) {
            return (type, false)
        }
        throw ProtobufError(.invalidValue, "the type \"\(typeURL)\" is not known here")
    }

    public mutating func mergeJSON(from reader: inout JSONReader) throws(ProtobufError) {
        guard let url = try reader.typeOfAny() else { return }
        typeURL = url
        let packed: (type: any Message.Type, hasOwnJSON: Bool)
        do {
            packed = try packedType(among: reader.options.packedTypes)
        } catch {
            throw reader.error(error.code, error.message)
        }
        value = try Self.bytes(of: packed.type, hasOwnJSON: packed.hasOwnJSON, from: &reader)
    }

    private static func bytes<M: Message>(
        of _: M.Type, hasOwnJSON: Bool, from reader: inout JSONReader
    ) throws(ProtobufError) -> [UInt8] {
        var message = M()
        if hasOwnJSON {
            try reader.object { (key, reader) throws(ProtobufError) in
                switch key {
                case JSONReader.typeKey: try reader.skipValue()
                case "value": try message.mergeJSON(from: &reader)
                default: throw reader.error(.unknownField, "unknown field \"\(key)\"")
                }
            }
        } else {
            try reader.objectOfAny { (reader) throws(ProtobufError) in
                try message.mergeJSON(from: &reader)
            }
        }
        return try message.serializedBytes()
    }

    public func encodeJSON(to writer: inout JSONWriter) throws(ProtobufError) {
        if typeURL.isEmpty, value.isEmpty { return writer.raw("{}") }
        let (type, hasOwnJSON) = try packedType(among: writer.options.packedTypes)
        writer.open(UInt8(ascii: "{"))
        writer.key(JSONReader.typeKey)
        writer.string(typeURL)
        try write(as: type, hasOwnJSON: hasOwnJSON, to: &writer)
        writer.close(UInt8(ascii: "}"))
    }

    private func write<M: Message>(
        as _: M.Type, hasOwnJSON: Bool, to writer: inout JSONWriter
    ) throws(ProtobufError) {
        let message = try M(serializedBytes: value)
        if hasOwnJSON {
            writer.key("value")
            try message.encodeJSON(to: &writer)
        } else {
            try message.encode(into: &writer)
        }
    }
}
