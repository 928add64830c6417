// A plugin for protoc: reads a CodeGeneratorRequest, writes a CodeGeneratorResponse.
// https://protobuf.dev/reference/other/ ("Plugins")
//
// Foundation for its FileHandle: binary standard input and output without unsafe code.
import Foundation
import Protobuf

var response = PluginResponse()
do {
    let input = try FileHandle.standardInput.readToEnd() ?? Data()
    response.files = try Plugin(request: CodeGeneratorRequest(serializedBytes: [UInt8](input)))
        .generate()
} catch let error as GeneratorError {
    response.error = error.message
} catch {
    response.error = "protoc-gen-penstock: \(error)"
}
try FileHandle.standardOutput.write(contentsOf: Data(response.serializedBytes()))
