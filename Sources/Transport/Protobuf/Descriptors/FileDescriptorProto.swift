/// A proto file.
package struct FileDescriptorProto: DescriptorMessage {
    package var name: String = ""
    package var package: String = ""
    package var dependencies: [String] = []
    package var messages: [DescriptorProto] = []
    package var enums: [EnumDescriptorProto] = []
    package var services: [ServiceDescriptorProto] = []
    package var sourceCodeInfo: SourceCodeInfo?
    package var syntax: String = ""

    package init() {}

    package mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool {
        switch number {
        case 1: try source.singular(StringField.self, &name)
        case 2: try source.singular(StringField.self, &package)
        case 3: try source.repeated(StringField.self, &dependencies)
        case 4: try source.repeated(MessageField<DescriptorProto>.self, &messages)
        case 5: try source.repeated(MessageField<EnumDescriptorProto>.self, &enums)
        case 6: try source.repeated(MessageField<ServiceDescriptorProto>.self, &services)
        case 9: try source.optional(MessageField<SourceCodeInfo>.self, &sourceCodeInfo)
        case 12: try source.singular(StringField.self, &syntax)
        default: return false
        }
        return true
    }
}

/// Where the declarations of a file came from.
package struct SourceCodeInfo: DescriptorMessage {
    package var locations: [SourceLocation] = []

    package init() {}

    package mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool {
        switch number {
        case 1: try source.repeated(MessageField<SourceLocation>.self, &locations)
        default: return false
        }
        return true
    }
}

/// A declaration's path, as field numbers and indices, and the comment above it.
package struct SourceLocation: DescriptorMessage {
    package var path: [Int32] = []
    package var leadingComments: String = ""
    package var trailingComments: String = ""

    package init() {}

    package mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool {
        switch number {
        case 1: try source.repeated(Int32Field.self, &path)
        case 3: try source.singular(StringField.self, &leadingComments)
        case 4: try source.singular(StringField.self, &trailingComments)
        default: return false
        }
        return true
    }
}
