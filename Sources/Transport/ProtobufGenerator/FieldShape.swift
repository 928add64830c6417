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

/// Every message and enum that protoc has told of, by its full proto name (`.package.Name`).
struct TypeTable {
    private var swiftNames: [String: String] = [:]
    private var mapEntries: [String: DescriptorProto] = [:]
    /// The messages that a message stores in itself: a struct cannot if that leads back to it.
    private var stored: [String: Set<String>] = [:]

    init(files: [FileDescriptorProto], prefixes: [String: String]) {
        for file in files {
            let scope = file.package.isEmpty ? "" : "." + file.package
            let prefix = prefixes[file.package] ?? SwiftNames.prefix(ofPackage: file.package)
            for declaration in file.enums {
                swiftNames["\(scope).\(declaration.name)"] = prefix + declaration.name
            }
            for message in file.messages { add(message, in: scope, prefix: prefix) }
        }
    }

    private mutating func add(_ message: DescriptorProto, in scope: String, prefix: String) {
        let full = "\(scope).\(message.name)"
        swiftNames[full] = prefix + message.name
        if message.options?.mapEntry == true { mapEntries[full] = message }
        let single = message.fields.filter { $0.label != .repeated && $0.type == .message }
        stored[full] = Set(single.map(\.typeName))
        for declaration in message.enums {
            swiftNames["\(full).\(declaration.name)"] =
                "\(prefix)\(message.name).\(declaration.name)"
        }
        for nested in message.nested { add(nested, in: full, prefix: "\(prefix)\(message.name).") }
    }

    func swiftName(_ name: String) throws(GeneratorError) -> String {
        guard let swift = swiftNames[name] else { throw GeneratorError("unknown type \(name)") }
        return swift
    }

    /// The type of a map's entries, if the field is a map.
    fileprivate func mapEntry(_ field: FieldDescriptorProto) -> DescriptorProto? {
        mapEntries[field.typeName]
    }

    /// Whether a value of `inner` can contain one of `outer` without a collection in between.
    func isRecursive(_ outer: String, _ inner: String) -> Bool {
        var seen: Set<String> = []
        var pending = [inner]
        while let name = pending.popLast() {
            if name == outer { return true }
            if seen.insert(name).inserted { pending += stored[name] ?? [] }
        }
        return false
    }
}

extension Int32 {
    // FieldDescriptorProto.Label
    fileprivate static let repeated: Int32 = 3
    // FieldDescriptorProto.Type
    fileprivate static let string: Int32 = 9
    fileprivate static let group: Int32 = 10
    static let message: Int32 = 11
    fileprivate static let bytes: Int32 = 12
    fileprivate static let enumeration: Int32 = 14
}

/// How names of proto files are spelt in Swift.
enum SwiftNames {
    /// `case_id` gives `caseID`; `upper` gives `CaseID`. Acronyms are those of swift-protobuf.
    private static func camel(_ name: String, upper: Bool) -> String {
        var result = ""
        for (index, word) in words(name).enumerated() {
            let isAcronym = ["id", "url", "http", "https"].contains(word.lowercased())
            if index == 0, !upper {
                result += isAcronym ? word.lowercased() : lowercasedFirst(word)
            } else if isAcronym {
                result += word.uppercased()
            } else {
                result += word.prefix(1).uppercased() + word.dropFirst()
            }
        }
        return result
    }

    private static func words(_ name: String) -> [String] {
        name.split(separator: "_").map(String.init)
    }

    private static func lowercasedFirst(_ word: String) -> String {
        word.prefix(1).lowercased() + word.dropFirst()
    }

    /// The name of a property, or of a case that holds a field.
    static func member(_ name: String) -> String { escaped(camel(name, upper: false)) }

    /// The name of a oneof's type.
    static func oneof(_ name: String) -> String { "OneOf_" + camel(name, upper: true) }

    /// The name of an enum's case: without the enum's name in front, if all values have it.
    static func enumCase(_ value: String, of name: String) -> String {
        let prefix = snake(name) + "_"
        var rest = value
        if value.uppercased().hasPrefix(prefix) {
            rest = String(value.dropFirst(prefix.count))
            if rest.first?.isNumber == true { rest = "_" + rest }
        }
        if rest.uppercased() == rest { rest = rest.lowercased() }
        let camel = camel(rest, upper: false)
        return escaped(rest.hasPrefix("_") ? "_" + camel : camel)
    }

    /// `ReportState` gives `REPORT_STATE`.
    private static func snake(_ name: String) -> String {
        var result = ""
        for (index, character) in name.enumerated() {
            if character.isUppercase, index > 0 { result += "_" }
            result += character.uppercased()
        }
        return result
    }

    /// What `A_B_V1_` is to `a.b.v1`, unless the options say otherwise.
    static func prefix(ofPackage package: String) -> String {
        package.split(separator: ".").map { camel(String($0), upper: true) + "_" }.joined()
    }

    private static func escaped(_ name: String) -> String {
        if taken.contains(name) { return name + "_" }
        return keywords.contains(name) ? "`\(name)`" : name
    }

    /// Names that backticks do not help, and members of the runtime's protocols.
    private static let taken: Set<String> = [
        "self", "init", "Type", "Protocol", "rawValue", "unrecognized", "protoName", "numbers",
        "isJSONNull", "hash", "hashValue", "encode", "decode", "merge", "encodeJSON", "mergeJSON",
    ]
    private static let keywords: Set<String> = [
        "Self", "any", "as", "associatedtype", "break", "case", "catch", "class", "continue",
        "default", "defer", "deinit", "do", "else", "enum", "extension", "fallthrough", "false",
        "fileprivate", "for", "func", "guard", "if", "import", "in", "inout", "internal", "is",
        "let", "nil", "operator", "precedencegroup", "private", "protocol", "public", "repeat",
        "rethrows", "return", "static", "struct", "subscript", "super", "switch", "throw", "throws",
        "true", "try", "typealias", "var", "where", "while",
    ]
}
