/// A compiled proto file, as server reflection hands it out.
public struct FileDescriptor: Sendable {
    /// The name by which other files import it: `conversionreports/v1/report.proto`.
    public let name: String
    /// The names of the files that it imports.
    public let dependencies: [String]
    /// The full names of everything it declares: messages, fields, oneofs, enums, their values,
    /// services and methods.
    public let symbols: [String]
    /// The full names of its services.
    public let services: [String]
    /// A serialized `google.protobuf.FileDescriptorProto`.
    public let serialized: [UInt8]

    /// Reads a serialized `google.protobuf.FileDescriptorProto`.
    ///
    /// - Throws: ``ProtobufError`` when it is none.
    public init(serialized: [UInt8]) throws(ProtobufError) {
        let file = try FileDescriptorProto(serializedBytes: serialized)
        var symbols = SymbolCollector()
        symbols.collect(file)
        self.serialized = serialized
        self.symbols = symbols.names
        name = file.name
        dependencies = file.dependencies
        services = file.services.map { symbols.name($0.name, in: file.package) }
    }

    /// Reads a serialized `google.protobuf.FileDescriptorSet`, the output of
    /// `protoc --descriptor_set_out`.
    ///
    /// - Throws: ``ProtobufError`` when it is none.
    public static func files(inSet set: [UInt8]) throws(ProtobufError) -> [FileDescriptor] {
        var files: [FileDescriptor] = []
        for serialized in try FileDescriptorSet(serializedBytes: set).files {
            files.append(try FileDescriptor(serialized: serialized))
        }
        return files
    }

    /// The files of a set that the generator has embedded as base64.
    ///
    /// Traps when it is damaged: it is part of the program.
    public static func files(inEmbeddedSet base64: String) -> [FileDescriptor] {
        guard let set = Base64.decode(base64), let files = try? files(inSet: set) else {
            preconditionFailure("an embedded descriptor set is damaged")
        }
        return files
    }
}

/// Collects the full names that a file declares.
private struct SymbolCollector {
    var names: [String] = []

    func name(_ name: String, in scope: String) -> String {
        scope.isEmpty ? name : scope + "." + name
    }

    mutating func collect(_ file: FileDescriptorProto) {
        for message in file.messages { collect(message, in: file.package) }
        for declaration in file.enums { collect(declaration, in: file.package) }
        for service in file.services {
            let full = name(service.name, in: file.package)
            names.append(full)
            for method in service.methods { names.append(name(method.name, in: full)) }
        }
    }

    private mutating func collect(_ message: DescriptorProto, in scope: String) {
        let full = name(message.name, in: scope)
        names.append(full)
        for field in message.fields { names.append(name(field.name, in: full)) }
        for oneof in message.oneofs { names.append(name(oneof.name, in: full)) }
        for nested in message.nested { collect(nested, in: full) }
        for declaration in message.enums { collect(declaration, in: full) }
    }

    /// An enum's values belong to the scope around it, as in C++.
    private mutating func collect(_ declaration: EnumDescriptorProto, in scope: String) {
        names.append(name(declaration.name, in: scope))
        for value in declaration.values { names.append(name(value.name, in: scope)) }
    }
}

/// A method of a service: its names, and the types of its messages.
public struct MethodDescriptor<Request: Message, Response: Message>: Sendable {
    /// The service's full name, such as `conversionreports.v1.ReportService`.
    public let service: String
    /// The method's name in the proto file, such as `GetReport`.
    public let name: String
    /// Whether the client sends any number of requests.
    public let isClientStreaming: Bool
    /// Whether the server sends any number of responses.
    public let isServerStreaming: Bool

    public init(
        service: String, name: String, isClientStreaming: Bool = false,
        isServerStreaming: Bool = false
    ) {
        self.service = service
        self.name = name
        self.isClientStreaming = isClientStreaming
        self.isServerStreaming = isServerStreaming
    }

    /// The path of gRPC's HTTP/2 request: `/conversionreports.v1.ReportService/GetReport`.
    public var path: String { "/\(service)/\(name)" }
}

/// The messages of `descriptor.proto` and `plugin.proto`, as far as the generator and reflection
/// read them. They are written by hand, since the generator cannot generate what it is made of.
package protocol DescriptorMessage: Message {}

extension DescriptorMessage {
    package static var protoMessageName: String { "\(self)" }
    package static var fields: FieldTable { FieldTable([:]) }

    package func encode<Sink: FieldSink & ~Copyable>(
        into sink: inout Sink
    ) throws(ProtobufError) {
        throw ProtobufError(.unencodable, "descriptors are only read")
    }

    package mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool { false }

    package func encode(to writer: inout BinaryWriter) throws(ProtobufError) {
        try encode(into: &writer)
    }

    package mutating func merge(from reader: inout BinaryReader) throws(ProtobufError) {
        try mergeFields(from: &reader)
    }

    package func encodeJSON(to writer: inout JSONWriter) throws(ProtobufError) {
        try writeFields(to: &writer)
    }

    package mutating func mergeJSON(from reader: inout JSONReader) throws(ProtobufError) {
        try mergeFields(from: &reader)
    }
}
