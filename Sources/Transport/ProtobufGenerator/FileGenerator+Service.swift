import Protobuf

extension FileGenerator {
    mutating func generate(
        _ service: ServiceDescriptorProto, path: [Int32]
    ) throws(GeneratorError) {
        let full = file.package.isEmpty ? service.name : "\(file.package).\(service.name)"
        let prefix = options.prefixes[file.package] ?? SwiftNames.prefix(ofPackage: file.package)
        writer.documentation(comment(path))
        writer.open("\(visibility) enum \(prefix)\(service.name)Methods")
        writer.line("/// The service's full name.")
        writer.line("\(visibility) static let serviceName = \"\(full)\"")
        for (index, method) in service.methods.enumerated() {
            let request = try types.swiftName(method.inputType)
            let response = try types.swiftName(method.outputType)
            var arguments = "service: serviceName, name: \"\(method.name)\""
            if method.isClientStreaming { arguments += ", isClientStreaming: true" }
            if method.isServerStreaming { arguments += ", isServerStreaming: true" }
            let name = method.name.prefix(1).lowercased() + method.name.dropFirst()
            writer.line()
            writer.documentation(comment(path + [2, Int32(index)]))
            writer.line(
                "\(visibility) static let \(name) = MethodDescriptor<\(request), \(response)>"
                    + "(\(arguments))")
        }
        writer.close()
    }
}
