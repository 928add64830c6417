import Protobuf

extension FileGenerator {
    mutating func encoder(_ fields: [FieldShape]) {
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

    mutating func decoder(_ fields: [FieldShape]) {
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

    /// Takes the old value out before merging into it. Were it still held by the message, each merge
    /// would copy it, and input that repeats the field would take quadratic time.
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
