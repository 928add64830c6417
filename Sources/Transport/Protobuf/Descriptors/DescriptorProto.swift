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
