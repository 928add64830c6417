import Protobuf

extension FileGenerator {
    mutating func generate(_ declaration: EnumDescriptorProto, as name: String, path: [Int32]) {
        var cases: [(name: String, value: NamedDescriptorProto, path: [Int32])] = []
        var numbers: Set<Int32> = []
        for (index, value) in declaration.values.enumerated()
        where numbers.insert(value.number).inserted {
            let caseName = SwiftNames.enumCase(value.name, of: declaration.name)
            cases.append((caseName, value, path + [2, Int32(index)]))
        }
        writer.documentation(comment(path))
        writer.open("\(visibility) enum \(name.split(separator: ".").last!): ProtobufEnum")
        for one in cases {
            writer.documentation(comment(one.path))
            writer.line("case \(one.name)")
        }
        writer.line("/// A number without a name.")
        writer.line("case unrecognized(Int32)")
        writer.line()
        writer.open("\(visibility) init(rawValue: Int32)")
        writer.line("switch rawValue {")
        for one in cases { writer.line("case \(one.value.number): self = .\(one.name)") }
        writer.line("default: self = .unrecognized(rawValue)")
        writer.line("}")
        writer.close()
        writer.line()
        writer.open("\(visibility) var rawValue: Int32")
        writer.line("switch self {")
        for one in cases { writer.line("case .\(one.name): \(one.value.number)") }
        writer.line("case .unrecognized(let number): number")
        writer.line("}")
        writer.close()
        writer.line()
        writer.open("\(visibility) var protoName: String?")
        writer.line("switch self {")
        for one in cases { writer.line("case .\(one.name): \"\(one.value.name)\"") }
        writer.line("case .unrecognized: nil")
        writer.line("}")
        writer.close()
        writer.line()
        writer.open("\(visibility) static let numbers: [String: Int32] =", bracket: "[")
        for value in declaration.values { writer.line("\"\(value.name)\": \(value.number),") }
        writer.close("]")
        writer.close()
    }
}
