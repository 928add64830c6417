/// A list of files, each left as it is.
package struct FileDescriptorSet: DescriptorMessage {
    package var files: [[UInt8]] = []

    package init() {}

    package mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool {
        switch number {
        case 1: try source.repeated(BytesField.self, &files)
        default: return false
        }
        return true
    }
}

/// What protoc asks a plugin for.
package struct CodeGeneratorRequest: DescriptorMessage {
    package var filesToGenerate: [String] = []
    package var parameter: String = ""
    package var files: [[UInt8]] = []

    package init() {}

    package mutating func decode<Source: FieldSource & ~Copyable & ~Escapable>(
        field number: Int, from source: inout Source
    ) throws(ProtobufError) -> Bool {
        switch number {
        case 1: try source.repeated(StringField.self, &filesToGenerate)
        case 2: try source.singular(StringField.self, &parameter)
        case 15: try source.repeated(BytesField.self, &files)
        default: return false
        }
        return true
    }
}
