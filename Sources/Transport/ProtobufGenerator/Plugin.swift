import Protobuf

/// Generates what protoc asks for: a Swift file for each proto file, and the descriptors.
struct Plugin {
    private let request: CodeGeneratorRequest
    private let options: GeneratorOptions
    private let files: [FileDescriptorProto]
    private let types: TypeTable

    init(request: CodeGeneratorRequest) throws {
        self.request = request
        options = try GeneratorOptions(parameter: request.parameter)
        files = try request.files.map { try FileDescriptorProto(serializedBytes: $0) }
        types = TypeTable(files: files, prefixes: options.prefixes)
    }

    func generate() throws -> [PluginFile] {
        var generated: [PluginFile] = []
        for file in files where request.filesToGenerate.contains(file.name) {
            guard file.syntax == "proto3" else {
                throw GeneratorError("\(file.name): only proto3 is supported")
            }
            var generator = FileGenerator(file: file, types: types, options: options)
            try generator.generate()
            generated.append(
                PluginFile(name: Self.outputName(file.name), content: generator.writer.text))
        }
        if let name = options.descriptors {
            let content = try DescriptorEmbedding(
                name: name, files: request.files, options: options
            ).source()
            generated.append(PluginFile(name: "\(name).pb.swift", content: content))
        }
        return generated
    }

    /// `conversionreports/v1/report_ready.proto` gives `report_ready.pb.swift` with the directories in
    /// front where they matter: SwiftPM wants file names to be unique within a target.
    private static func outputName(_ proto: String) -> String {
        let stem = proto.hasSuffix(".proto") ? String(proto.dropLast(6)) : proto
        return stem.split(separator: "/").joined(separator: "_") + ".pb.swift"
    }
}
