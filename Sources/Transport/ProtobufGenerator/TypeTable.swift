import Protobuf

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
    func mapEntry(_ field: FieldDescriptorProto) -> DescriptorProto? { mapEntries[field.typeName] }

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
    static let repeated: Int32 = 3
    // FieldDescriptorProto.Type
    static let string: Int32 = 9
    static let group: Int32 = 10
    static let message: Int32 = 11
    static let bytes: Int32 = 12
    static let enumeration: Int32 = 14
}
