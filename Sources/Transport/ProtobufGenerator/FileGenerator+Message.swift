import Protobuf

extension FileGenerator {
    /// Well-known types whose JSON form is written by hand, beside the generated file.
    private static let withOwnJSON: Set<String> = Set(
        [
            "Any", "BoolValue", "BytesValue", "DoubleValue", "Duration", "FieldMask", "FloatValue",
            "Int32Value", "Int64Value", "ListValue", "StringValue", "Struct", "Timestamp",
            "UInt32Value", "UInt64Value", "Value",
        ].map { ".google.protobuf." + $0 })

    mutating func generate(
        _ message: DescriptorProto, fullName: String, path: [Int32]
    ) throws(GeneratorError) {
        let swift = try types.swiftName(fullName)
        var fields: [FieldShape] = []
        for (index, field) in message.fields.enumerated() {
            fields.append(
                try FieldShape(
                    field, of: message, fullName: fullName, types: types,
                    documentation: comment(path + [2, Int32(index)])))
        }
        writer.documentation(comment(path))
        writer.open("\(visibility) struct \(swift.split(separator: ".").last!): Message")
        properties(fields, of: message, path: path)
        writer.line("\(visibility) init() {}")
        writer.line()
        try oneofs(fields, of: message, fullName: fullName)
        writer.line(
            "\(visibility) static var protoMessageName: String { \"\(fullName.dropFirst())\" }")
        fieldTable(fields)
        writer.line()
        encoder(fields)
        writer.line()
        decoder(fields)
        writer.line()
        specializations(hasOwnJSON: Self.withOwnJSON.contains(fullName))
        for (index, declaration) in message.enums.enumerated() {
            writer.line()
            generate(declaration, as: declaration.name, path: path + [4, Int32(index)])
        }
        for (index, nested) in message.nested.enumerated() where nested.options?.mapEntry != true {
            writer.line()
            try generate(
                nested, fullName: "\(fullName).\(nested.name)", path: path + [3, Int32(index)])
        }
        writer.close()
    }

    private mutating func properties(
        _ fields: [FieldShape], of message: DescriptorProto, path: [Int32]
    ) {
        var declared: Set<String> = []
        for field in fields {
            let (name, type) = (field.name, field.type.swift)
            if case .member(let oneof) = field.kind {
                guard declared.insert(oneof).inserted else { continue }
                let index = message.oneofs.firstIndex { $0.name == oneof }!
                writer.documentation(comment(path + [8, Int32(index)]))
                writer.line(
                    "\(visibility) var \(SwiftNames.member(oneof)): \(SwiftNames.oneof(oneof))?")
                continue
            }
            writer.documentation(field.documentation)
            switch field.kind {
            case .optional: writer.line("\(visibility) var \(name): \(type)?")
            case .repeated, .packed: writer.line("\(visibility) var \(name): [\(type)] = []")
            case .boxed:
                writer.open("\(visibility) var \(name): \(type)?")
                writer.line("get { \(name)Box.first }")
                writer.line("set { \(name)Box = newValue.map { [$0] } ?? [] }")
                writer.close()
                writer.line("private var \(name)Box: [\(type)] = []")
            default: writer.line("\(visibility) var \(name): \(type) = \(field.type.zero)")
            }
        }
        if !fields.isEmpty { writer.line() }
    }

    private mutating func oneofs(
        _ fields: [FieldShape], of message: DescriptorProto, fullName: String
    ) throws(GeneratorError) {
        for oneof in message.oneofs {
            let members = fields.filter {
                if case .member(oneof.name) = $0.kind { true } else { false }
            }
            // A proto3 `optional` has a oneof of its own, which is no member here.
            if members.isEmpty { continue }
            let isRecursive = message.fields.contains {
                $0.oneofIndex != nil && $0.type == .message
                    && types.isRecursive(fullName, $0.typeName)
            }
            let indirect = isRecursive ? "indirect " : ""
            writer.open(
                "\(visibility) \(indirect)enum \(SwiftNames.oneof(oneof.name)): Hashable, Sendable")
            for member in members {
                writer.documentation(member.documentation)
                writer.line("case \(member.name)(\(member.type.swift))")
            }
            writer.close()
            writer.line()
        }
    }

    private mutating func fieldTable(_ fields: [FieldShape]) {
        if fields.isEmpty {
            writer.line("\(visibility) static let fields = FieldTable([:])")
            return
        }
        writer.open("\(visibility) static let fields = FieldTable(", bracket: "[")
        for field in fields.sorted(by: { $0.number < $1.number }) {
            writer.line("\(field.number): \(field.nameLiteral),")
        }
        writer.close("])")
    }

    private mutating func specializations(hasOwnJSON: Bool) {
        writer.lines(
            """
            \(visibility) func encode(to writer: inout BinaryWriter) throws(ProtobufError) { try encode(into: &writer) }
            \(visibility) mutating func merge(from reader: inout BinaryReader) throws(ProtobufError) { try mergeFields(from: &reader) }
            """)
        if hasOwnJSON { return }
        writer.lines(
            """
            \(visibility) func encodeJSON(to writer: inout JSONWriter) throws(ProtobufError) { try writeFields(to: &writer) }
            \(visibility) mutating func mergeJSON(from reader: inout JSONReader) throws(ProtobufError) { try mergeFields(from: &reader) }
            """)
    }
}

extension FileGenerator {
    private mutating func encoder(_ fields: [FieldShape]) {
        writer.open(
            "\(visibility) func encode<Sink: FieldSink & ~Copyable>(into sink: inout Sink) throws(ProtobufError)"
        )
        for field in fields.sorted(by: { $0.number < $1.number }) {
            let head = "\(field.number), \(field.nameLiteral)"
            let tail = "\(field.type.codec).self, self.\(field.name)"
            switch field.kind {
            case .singular: writer.line("try sink.singular(\(head), \(tail))")
            case .optional, .boxed: writer.line("try sink.optional(\(head), \(tail))")
            case .repeated: writer.line("try sink.repeated(\(head), \(tail))")
            case .packed: writer.line("try sink.packed(\(head), \(tail))")
            case .map(let key, let value):
                writer.line(
                    "try sink.map(\(head), \(key.codec).self, \(value.codec).self, self.\(field.name))"
                )
            case .member(let oneof):
                writer.line(
                    "if case .\(field.name)(let value)? = self.\(SwiftNames.member(oneof)) "
                        + "{ try sink.optional(\(head), \(field.type.codec).self, value) }")
            }
        }
        writer.close()
    }

    private mutating func decoder(_ fields: [FieldShape]) {
        // The standard library's type, whatever the proto file calls its own.
        writer.open(
            "\(visibility) mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(field number: Int, from source: inout Source) throws(ProtobufError) -> Swift.Bool"
        )
        if fields.isEmpty {
            writer.line("false")
            writer.close()
            return
        }
        writer.line("switch number {")
        for field in fields {
            let head = "case \(field.number): try source"
            let tail = "(\(field.type.codec).self, &self.\(field.name))"
            switch field.kind {
            case .singular: writer.line("\(head).singular\(tail)")
            case .optional: writer.line("\(head).optional\(tail)")
            case .boxed: boxed(field)
            case .repeated, .packed: writer.line("\(head).repeated\(tail)")
            case .map(let key, let value):
                writer.line(
                    "\(head).map(\(key.codec).self, \(value.codec).self, &self.\(field.name))")
            case .member(let oneof): member(field, of: "self." + SwiftNames.member(oneof))
            }
        }
        writer.line("default: return false")
        writer.line("}")
        writer.line("return true")
        writer.close()
    }

    /// Takes the old value out before merging into it. Were it still held by the message, each
    /// merge would copy it, and input that repeats the field would take quadratic time.
    private mutating func boxed(_ field: FieldShape) {
        writer.lines(
            """
            case \(field.number):
                var value = self.\(field.name)Box.popLast()
                try source.optional(\(field.type.codec).self, &value)
                self.\(field.name) = value
            """)
    }

    private mutating func member(_ field: FieldShape, of oneof: String) {
        writer.lines(
            """
            case \(field.number):
                let occupied = \(oneof) != nil
                var value: \(field.type.swift)?
                if case .\(field.name)(let old)? = \(oneof) {
                    value = old
                    \(oneof) = nil
                }
                try source.member(\(field.type.codec).self, &value, occupied: occupied)
                if let value { \(oneof) = .\(field.name)(value) }
            """)
    }
}
