// What Tests/ProtobufTests/Foreign/run compares with Google's implementations.
//
//   protobuf-testee conformance    answers Google's conformance_test_runner
//   protobuf-testee cross-check    answers Foreign/cross_check.py
//
// Foundation for its FileHandle: binary standard input and output without unsafe code.
import Foundation

let pipe = FramedPipe(input: .standardInput, output: .standardOutput)
switch CommandLine.arguments.dropFirst().first {
case "conformance": try ConformanceTestee.run(on: pipe)
case "cross-check": try CrossCheckTestee.run(on: pipe)
default:
    try FileHandle.standardError.write(
        contentsOf: Data("usage: protobuf-testee conformance | cross-check\n".utf8))
    exit(64)
}
