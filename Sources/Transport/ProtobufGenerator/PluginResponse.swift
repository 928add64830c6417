import Protobuf

/// `google.protobuf.compiler.CodeGeneratorResponse`.
struct PluginResponse: DescriptorMessage {
    var error: String?
    var files: [PluginFile] = []

    /// `FEATURE_PROTO3_OPTIONAL`
    private static let supportedFeatures: UInt64 = 1

    func encode<Sink: FieldSink & ~Copyable>(into sink: inout Sink) throws(ProtobufError) {
        try sink.optional(1, "error", StringField.self, error)
        try sink.singular(2, "supported_features", UInt64Field.self, Self.supportedFeatures)
        try sink.repeated(15, "file", MessageField<PluginFile>.self, files)
    }
}

/// A generated file.
struct PluginFile: DescriptorMessage {
    var name = ""
    var content = ""

    func encode<Sink: FieldSink & ~Copyable>(into sink: inout Sink) throws(ProtobufError) {
        try sink.singular(1, "name", StringField.self, name)
        try sink.singular(15, "content", StringField.self, content)
    }
}
