/// A service.
package struct ServiceDescriptorProto: DescriptorMessage {
    package var name: String = ""
    package var methods: [MethodDescriptorProto] = []

    package init() {}

    package mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool {
        switch number {
        case 1: try source.singular(StringField.self, &name)
        case 2: try source.repeated(MessageField<MethodDescriptorProto>.self, &methods)
        default: return false
        }
        return true
    }
}

/// A method.
package struct MethodDescriptorProto: DescriptorMessage {
    package var name: String = ""
    package var inputType: String = ""
    package var outputType: String = ""
    package var isClientStreaming: Bool = false
    package var isServerStreaming: Bool = false

    package init() {}

    package mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool {
        switch number {
        case 1: try source.singular(StringField.self, &name)
        case 2: try source.singular(StringField.self, &inputType)
        case 3: try source.singular(StringField.self, &outputType)
        case 5: try source.singular(BoolField.self, &isClientStreaming)
        case 6: try source.singular(BoolField.self, &isServerStreaming)
        default: return false
        }
        return true
    }
}
