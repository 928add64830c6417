/// A message type.
package struct DescriptorProto: DescriptorMessage {
    package var name: String = ""
    package var fields: [FieldDescriptorProto] = []
    package var nested: [DescriptorProto] = []
    package var enums: [EnumDescriptorProto] = []
    package var options: DescriptorOptions?
    package var oneofs: [NamedDescriptorProto] = []

    package init() {}

    package mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool {
        switch number {
        case 1: try source.singular(StringField.self, &self.name)
        case 2: try source.repeated(MessageField<FieldDescriptorProto>.self, &fields)
        case 3: try source.repeated(MessageField<DescriptorProto>.self, &nested)
        case 4: try source.repeated(MessageField<EnumDescriptorProto>.self, &enums)
        case 7: try source.optional(MessageField<DescriptorOptions>.self, &options)
        case 8: try source.repeated(MessageField<NamedDescriptorProto>.self, &oneofs)
        default: return false
        }
        return true
    }
}

/// A field.
package struct FieldDescriptorProto: DescriptorMessage {
    package var name: String = ""
    package var number: Int32 = 0
    package var label: Int32 = 0
    package var type: Int32 = 0
    package var typeName: String = ""
    package var options: DescriptorOptions?
    package var oneofIndex: Int32?
    package var jsonName: String = ""
    package var isProto3Optional: Bool = false

    package init() {}

    package mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool {
        switch number {
        case 1: try source.singular(StringField.self, &self.name)
        case 3: try source.singular(Int32Field.self, &self.number)
        case 4: try source.singular(Int32Field.self, &label)
        case 5: try source.singular(Int32Field.self, &type)
        case 6: try source.singular(StringField.self, &typeName)
        case 8: try source.optional(MessageField<DescriptorOptions>.self, &options)
        case 9: try source.optional(Int32Field.self, &oneofIndex)
        case 10: try source.singular(StringField.self, &jsonName)
        case 17: try source.singular(BoolField.self, &isProto3Optional)
        default: return false
        }
        return true
    }
}

/// The options of a field (`packed`) and of a message (`map_entry`).
package struct DescriptorOptions: DescriptorMessage {
    package var packed: Bool?
    package var mapEntry: Bool = false

    package init() {}

    package mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool {
        switch number {
        case 2: try source.optional(BoolField.self, &packed)
        case 7: try source.singular(BoolField.self, &mapEntry)
        default: return false
        }
        return true
    }
}

/// An enum type.
package struct EnumDescriptorProto: DescriptorMessage {
    package var name: String = ""
    package var values: [NamedDescriptorProto] = []

    package init() {}

    package mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool {
        switch number {
        case 1: try source.singular(StringField.self, &self.name)
        case 2: try source.repeated(MessageField<NamedDescriptorProto>.self, &values)
        default: return false
        }
        return true
    }
}

/// A oneof, or an enum's value.
package struct NamedDescriptorProto: DescriptorMessage {
    package var name: String = ""
    package var number: Int32 = 0

    package init() {}

    package mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool {
        switch number {
        case 1: try source.singular(StringField.self, &self.name)
        case 2: try source.singular(Int32Field.self, &self.number)
        default: return false
        }
        return true
    }
}

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

/// A list of files, each left as it is.
package struct FileDescriptorSet: DescriptorMessage {
    package var files: [[UInt8]] = []

    package init() {}

    package mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool {
        switch number {
        case 1: try source.repeated(BytesField.self, &files)
        default: return false
        }
        return true
    }
}

/// What protoc asks a plugin for.
package struct CodeGeneratorRequest: DescriptorMessage {
    package var filesToGenerate: [String] = []
    package var parameter: String = ""
    package var files: [[UInt8]] = []

    package init() {}

    package mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool {
        switch number {
        case 1: try source.repeated(StringField.self, &filesToGenerate)
        case 2: try source.singular(StringField.self, &parameter)
        case 15: try source.repeated(BytesField.self, &files)
        default: return false
        }
        return true
    }
}
