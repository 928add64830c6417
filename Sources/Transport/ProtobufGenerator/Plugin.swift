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

    /// `conversionreports/v1/report_ready.proto` gives `report_ready.pb.swift` with the directories
    /// in front where they matter: SwiftPM wants file names to be unique within a target.
    private static func outputName(_ proto: String) -> String {
        let stem = proto.hasSuffix(".proto") ? String(proto.dropLast(6)) : proto
        return stem.split(separator: "/").joined(separator: "_") + ".pb.swift"
    }
}

/// `google.protobuf.compiler.CodeGeneratorResponse`.
struct PluginResponse: DescriptorMessage {
    var error: String?
    var files: [PluginFile] = []

    /// `FEATURE_PROTO3_OPTIONAL`
    private static let supportedFeatures: UInt64 = 1

    func encode<Sink: FieldSink & ~Copyable>(into sink: inout Sink) throws(ProtobufError) {
        try sink.optional(1, "error", StringField.self, error)
        try sink.singular(2, "supported_features", UInt64Field.self, Self.supportedFeatures)
        try sink.repeated(15, "file", MessageField<PluginFile>.self, files)
    }
}

/// A generated file.
struct PluginFile: DescriptorMessage {
    var name = ""
    var content = ""

    func encode<Sink: FieldSink & ~Copyable>(into sink: inout Sink) throws(ProtobufError) {
        try sink.singular(1, "name", StringField.self, name)
        try sink.singular(15, "content", StringField.self, content)
    }
}

/// The plugin's parameters: `--penstock_opt=visibility=package,prefix:grpc.health.v1=Health`.
struct GeneratorOptions {
    /// The access level of everything generated: `public`, `package` or `internal`.
    var visibility = "public"
    /// Set where the messages are part of the runtime's own module.
    var isRuntime = false
    /// The name of the enum that holds the descriptors of all files; nil: none is generated.
    fileprivate var descriptors: String?
    /// What Swift's type names begin with, by proto package. By default `a.b.v1` gives `A_B_V1_`.
    var prefixes: [String: String] = [:]

    /// - Throws: ``GeneratorError`` for an option that does not exist.
    init(parameter: String) throws(GeneratorError) {
        for option in parameter.split(separator: ",") {
            let parts = option.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false
            ).map(String.init)
            let (name, value) = (parts[0], parts.count > 1 ? parts[1] : "")
            switch name {
            case "visibility": visibility = value
            case "runtime": isRuntime = value == "self"
            case "descriptors": descriptors = value
            case _ where name.hasPrefix("prefix:"): prefixes[String(name.dropFirst(7))] = value
            default: throw GeneratorError("protoc-gen-penstock has no option \(name)")
            }
        }
    }
}

/// Why nothing could be generated; protoc prints it.
struct GeneratorError: Error {
    let message: String

    init(_ message: String) { self.message = message }
}

/// The Swift file that embeds the descriptors of all files, for server reflection.
///
/// They are a string literal in base64: an array literal of thousands of bytes takes the compiler
/// seconds.
struct DescriptorEmbedding {
    let name: String
    /// Serialized `FileDescriptorProto`s, each after those it imports.
    let files: [[UInt8]]
    let options: GeneratorOptions

    func source() throws -> String {
        var set = OutputSet()
        for file in files {
            set.files.append(try StrippedFile(serializedBytes: file).serializedBytes())
        }
        let visibility = options.visibility
        var writer = SourceWriter()
        writer.line("// Generated by protoc-gen-penstock. Do not edit.")
        writer.line("// swift-format-ignore-file")
        if !options.isRuntime { writer.line("\(visibility) import Protobuf") }
        writer.line()
        writer.line("/// The compiled proto files of this module and those that they import.")
        writer.open("\(visibility) enum \(name)")
        writer.line("/// Each after those that it imports.")
        writer.line(
            "\(visibility) static let files = FileDescriptor.files(inEmbeddedSet: serialized)")
        writer.line()
        writer.line("/// A `google.protobuf.FileDescriptorSet` in base64.")
        writer.line("private static let serialized = \"\"\"")
        let text = [Character](Base64.encode(try set.serializedBytes()))
        for start in stride(from: 0, to: text.count, by: 88) {
            let end = min(start + 88, text.count)
            writer.line("    " + String(text[start..<end]) + (end < text.count ? "\\" : ""))
        }
        writer.line("    \"\"\"")
        writer.close()
        return writer.text
    }
}

/// A `FileDescriptorSet` under construction.
private struct OutputSet: DescriptorMessage {
    var files: [[UInt8]] = []

    func encode<Sink: FieldSink & ~Copyable>(into sink: inout Sink) throws(ProtobufError) {
        try sink.repeated(1, "file", BytesField.self, files)
    }
}

/// A `FileDescriptorProto` without its comments and positions, which make up half of it.
private struct StrippedFile: DescriptorMessage {
    /// `source_code_info`
    private static let dropped = 9
    /// `public_dependency` and `weak_dependency`, the fields that are no bytes.
    private static let integers = [10, 11]

    private var values: [(number: Int, bytes: [UInt8])] = []
    private var indices: [(number: Int, index: Int32)] = []

    mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool {
        if number == Self.dropped { return false }
        if Self.integers.contains(number) {
            var index: Int32 = 0
            try source.singular(Int32Field.self, &index)
            indices.append((number, index))
        } else {
            var bytes: [UInt8] = []
            try source.singular(BytesField.self, &bytes)
            values.append((number, bytes))
        }
        return true
    }

    func encode<Sink: FieldSink & ~Copyable>(into sink: inout Sink) throws(ProtobufError) {
        for (number, bytes) in values { try sink.optional(number, "", BytesField.self, bytes) }
        for (number, index) in indices { try sink.optional(number, "", Int32Field.self, index) }
    }

    static func == (left: Self, right: Self) -> Bool {
        left.values.elementsEqual(right.values, by: ==)
            && left.indices.elementsEqual(right.indices, by: ==)
    }

    func hash(into hasher: inout Hasher) { hasher.combine(values.count) }
}
