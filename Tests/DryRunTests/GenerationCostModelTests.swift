import PipelineCore
import ConfigurationFields
import Testing

@testable import DryRun

@Suite("The cost of a generation run")
struct GenerationCostModelTests {
    @Test("is a fixed part and a part for each case, in either order, or one of them")
    func reading() throws {
        #expect(try GenerationCostModel(parsing: "30s + 10ms*n").cost(of: 100) == .seconds(31))
        #expect(try GenerationCostModel(parsing: "10ms*n+30s").cost(of: 100) == .seconds(31))
        #expect(try GenerationCostModel(parsing: "2m").cost(of: 100) == .minutes(2))
        #expect(try GenerationCostModel(parsing: "1s*n").cost(of: 3) == .seconds(3))
    }

    @Test("is refused when it can't be read", arguments: ["", "30", "30s +", "n*3s", "x*n"])
    func refused(_ text: String) {
        #expect(throws: Refusal.self) { try GenerationCostModel(parsing: text) }
    }
}
