// Foundation reads the corpus, which the reader under test must not do.
import Foundation
import LocatedJSON
import Testing

@Suite("The JSON reader and a public conformance suite")
struct ConformanceTests {
    /// A file of the suite; see `Corpus/README.md`.
    struct Case: Decodable, CustomTestStringConvertible {
        var name: String
        var base64: Data
        var times: Int?
        var then: Data?

        enum CodingKeys: CodingKey { case name, base64, times, then }

        var bytes: [UInt8] {
            Array(repeatElement(Array(base64), count: times ?? 1).joined()) + Array(then ?? Data())
        }
        var testDescription: String { name }
    }

    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Corpus")

    static func cases(_ prefix: String) -> [Case] {
        guard let data = try? Data(contentsOf: folder.appending(path: "JSONTestSuite.json")),
            let all = try? JSONDecoder().decode([Case].self, from: data)
        else { return [] }
        return all.filter { $0.name.hasPrefix(prefix) }
    }

    /// Grammatical, and refused all the same: which of two values counts must not depend on who reads.
    static let stricter = ["y_object_duplicated_key", "y_object_duplicated_key_and_value"]

    @Test("are all there")
    func corpus() {
        #expect(Self.cases("").count == 318)
        #expect(["y_", "n_", "i_"].map { Self.cases($0).count } == [95, 188, 35])
    }

    @Test("agree on what is JSON", arguments: cases("y_"))
    func accepted(_ file: Case) {
        let parsed = JSON.parse(file.bytes)
        #expect(parsed.value != nil)
        #expect(
            parsed.problems.map(\.code)
                == (Self.stricter.contains(file.name) ? [.duplicateKey] : []))
    }

    @Test("agree on what is not, with a place inside the file", arguments: cases("n_"))
    func refused(_ file: Case) throws {
        let bytes = file.bytes
        let parsed = JSON.parse(bytes)
        #expect(parsed.value == nil)
        let problem = try #require(parsed.problems.last)
        let position = problem.position
        #expect((0...bytes.count).contains(position.offset))
        #expect([.invalidJSON, .invalidUTF8, .tooDeep].contains(problem.code))
    }

    @Test("leave some to us, which go as the golden file says")
    func either() throws {
        let text = Self.cases("i_").map { file in
            let problem = JSON.parse(file.bytes).problems.first
            return "\(file.name): \(problem.map { "refused, \($0.code.rawValue)" } ?? "accepted")\n"
        }.joined()
        let golden = Self.folder.appending(path: "implementation-defined.txt")
        if ProcessInfo.processInfo.environment["PENSTOCK_UPDATE_GOLDEN"] != nil {
            try Data(text.utf8).write(to: golden)
        }
        #expect(text == String(decoding: try Data(contentsOf: golden), as: UTF8.self))
    }
}
