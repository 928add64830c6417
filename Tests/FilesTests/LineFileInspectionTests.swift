import Files
import Foundation
import PipelineCore
import Testing

@Suite("Looking at a file of lines", .timeLimit(.minutes(1)))
final class LineFileInspectionTests {
    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "penstock-inspection-\(RandomSource().uuid())")

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(at: folder) }

    private func finding(_ name: String, _ need: ResourceNeed) async throws -> ResourceFinding {
        let file = LineFile(path: folder.appending(path: name).path)
        return try #require(try await file.inspect(for: [need], timeout: .seconds(1)).first)
    }

    @Test("says that a file can be read, or is not there")
    func reading() async throws {
        #expect(try await finding("in.jsonl", .reading).verdict == .wrong)
        try Data("{}\n".utf8).write(to: folder.appending(path: "in.jsonl"))
        #expect(try await finding("in.jsonl", .reading).verdict == .ok)
    }

    @Test("says that a file will be created, and creates none")
    func writing() async throws {
        let found = try await finding("out.jsonl", .writing)
        #expect(found.verdict == .ok)
        #expect(found.detail.hasSuffix("out.jsonl will be created"))
        #expect(try await finding("nowhere/out.jsonl", .writing).verdict == .wrong)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
}
