import Protobuf

/// A field as it will be in Swift.
struct FieldShape {
    enum Kind {
        case singular
        case optional
        /// Optional, and stored through an array, since the message would contain itself.
        case boxed
        case repeated
        case packed
        case map(key: FieldType, value: FieldType)
        case member(oneof: String)
    }

    let number: Int32
    let name: String
    let kind: Kind
    let type: FieldType
    let documentation: String?
    /// `FieldName`'s literal.
    let nameLiteral: String

    init(
        _ field: FieldDescriptorProto, of message: DescriptorProto, fullName: String,
        types: TypeTable, documentation: String?
    ) throws(GeneratorError) {
        number = field.number
        name = SwiftNames.member(field.name)
        self.documentation = documentation
        nameLiteral =
            field.jsonName == field.name
            ? "\"\(field.name)\"" : "FieldName(\"\(field.name)\", json: \"\(field.jsonName)\")"
        if let entry = types.mapEntry(field) {
            let key = try FieldType(entry.fields[0], types: types)
            let value = try FieldType(entry.fields[1], types: types)
            kind = .map(key: key, value: value)
            type = FieldType(codec: "", swift: "[\(key.swift): \(value.swift)]", zero: "[:]")
            return
        }
        type = try FieldType(field, types: types)
        if field.label == .repeated {
            let isPackable = ![.string, .message, .bytes].contains(field.type)
            kind = isPackable && field.options?.packed ?? true ? .packed : .repeated
        } else if let index = field.oneofIndex, !field.isProto3Optional {
            kind = .member(oneof: message.oneofs[Int(index)].name)
        } else if field.type == .message {
            kind = types.isRecursive(fullName, field.typeName) ? .boxed : .optional
        } else {
            kind = field.isProto3Optional ? .optional : .singular
        }
    }
}

/// A field's type in Swift and the codec that reads and writes it.
struct FieldType {
    let codec: String
    let swift: String
    let zero: String

    init(codec: String, swift: String, zero: String) {
        (self.codec, self.swift, self.zero) = (codec, swift, zero)
    }

    init(_ field: FieldDescriptorProto, types: TypeTable) throws(GeneratorError) {
        if let scalar = Self.scalars[field.type] {
            self = scalar
            return
        }
        guard field.type != .group else {
            throw GeneratorError("\(field.name): groups are not supported")
        }
        let name = try types.swiftName(field.typeName)
        self =
            field.type == .enumeration
            ? FieldType(codec: "EnumField<\(name)>", swift: name, zero: "\(name)(rawValue: 0)")
            : FieldType(codec: "MessageField<\(name)>", swift: name, zero: "\(name)()")
    }

    private static let scalars: [Int32: FieldType] = [
        1: FieldType(codec: "DoubleField", swift: "Double", zero: "0"),
        2: FieldType(codec: "FloatField", swift: "Float", zero: "0"),
        3: FieldType(codec: "Int64Field", swift: "Int64", zero: "0"),
        4: FieldType(codec: "UInt64Field", swift: "UInt64", zero: "0"),
        5: FieldType(codec: "Int32Field", swift: "Int32", zero: "0"),
        6: FieldType(codec: "Fixed64Field", swift: "UInt64", zero: "0"),
        7: FieldType(codec: "Fixed32Field", swift: "UInt32", zero: "0"),
        8: FieldType(codec: "BoolField", swift: "Bool", zero: "false"),
        .string: FieldType(codec: "StringField", swift: "String", zero: "\"\""),
        .bytes: FieldType(codec: "BytesField", swift: "[UInt8]", zero: "[]"),
        13: FieldType(codec: "UInt32Field", swift: "UInt32", zero: "0"),
        15: FieldType(codec: "SFixed32Field", swift: "Int32", zero: "0"),
        16: FieldType(codec: "SFixed64Field", swift: "Int64", zero: "0"),
        17: FieldType(codec: "SInt32Field", swift: "Int32", zero: "0"),
        18: FieldType(codec: "SInt64Field", swift: "Int64", zero: "0"),
    ]
}
