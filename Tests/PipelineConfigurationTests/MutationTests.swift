import PipelineConfiguration
import PipelineCore
import Specification
import Testing

@Suite("A damaged pipeline file")
struct MutationTests {
    static let reader = PipelineReader(catalogue: SampleStages.catalogue, environment: .empty)

    @Test("of random bytes never crashes the reader, and every refusal has a place and a code")
    func bytes() throws {
        let sample = try GoldenFile.bytes("sample.json")
        var numbers = SplitMix64(seed: 11)
        for _ in 0..<2000 {
            var bytes = sample
            for _ in 0..<Int.random(in: 1...3, using: &numbers) {
                let place = Int.random(in: 0..<bytes.count, using: &numbers)
                switch Int.random(in: 0..<4, using: &numbers) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &numbers)
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(bytes.randomElement(using: &numbers) ?? 0, at: place)
                default: bytes.removeSubrange(place..<min(bytes.count, place + 40))
                }
            }
            check(bytes)
        }
    }

    @Test(
        "of wrong values and keys never crashes the reader, and every refusal has a place and a code"
    )
    func trees() throws {
        let sample = try JSON(parsing: try GoldenFile.bytes("sample.json"))
        var numbers = SplitMix64(seed: 12)
        var refused = 0
        for _ in 0..<2000 {
            var tree = sample
            for _ in 0..<Int.random(in: 1...3, using: &numbers) {
                tree = mutated(tree, using: &numbers)
            }
            if !check(Array(tree.written(.pretty).utf8)) { refused += 1 }
        }
        // If hardly any were refused, the mutations would have tested nothing.
        #expect(refused > 1300)
    }

    /// Reads and checks what came of it; whether the file was taken.
    @discardableResult
    private func check(_ bytes: [UInt8]) -> Bool {
        let reading = Self.reader.read(bytes, file: "a.json")
        #expect(reading.diagnostics.hasErrors == (reading.definition == nil))
        for problem in reading.diagnostics.list {
            #expect(problem.file == "a.json")
            #expect((0...bytes.count).contains(problem.position?.offset ?? -1), "\(problem)")
            #expect(!problem.code.rawValue.isEmpty)
            #expect(problem.code.rawValue.allSatisfy { $0 == "-" || $0.isLowercase || $0.isNumber })
            #expect(!problem.message.isEmpty)
        }
        return reading.definition != nil
    }

    private func mutated(_ json: JSON, using numbers: inout SplitMix64) -> JSON {
        // Descend more often than not, so that every depth is reached.
        let descends = Int.random(in: 0..<6, using: &numbers) > 0
        switch json.value {
        case .object(var members) where !members.isEmpty:
            let index = Int.random(in: 0..<members.count, using: &numbers)
            if descends {
                members[index].value = mutated(members[index].value, using: &numbers)
            } else {
                switch Int.random(in: 0..<4, using: &numbers) {
                case 0: members.remove(at: index)
                case 1: members[index].key += "x"
                case 2: members.append(members[index])
                default: members.swapAt(index, members.count - 1)
                }
            }
            return JSON(.object(members))
        case .array(var items) where !items.isEmpty:
            let index = Int.random(in: 0..<items.count, using: &numbers)
            if descends {
                items[index] = mutated(items[index], using: &numbers)
            } else {
                switch Int.random(in: 0..<4, using: &numbers) {
                case 0: items.remove(at: index)
                case 1: items.append(items[index])
                case 2: items.swapAt(index, items.count - 1)
                default: items.reverse()
                }
            }
            return JSON(.array(items))
        default:
            return Self.replacements.randomElement(using: &numbers) ?? .null
        }
    }

    static let replacements: [JSON] = [
        .null, true, 0, -1, 5, JSON(.number("1e400")), JSON(.number("99999999999999999999")), "",
        "x",
        "12h", "-5s", "ingest", "publish", "accumulate", "bus", "cache", [], [:], [[]],
        ["$env": "X"], ["$env": 5], ["$file": "/x"], ["$env": "X", "default": ["a": 1]],
        .string(String(repeating: "é", count: 300)), "\u{0}", "report-requests", "kafka://a:b@c",
    ]
}
