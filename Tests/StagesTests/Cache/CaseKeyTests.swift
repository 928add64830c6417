import PipelineCore
import PipelineTesting
import ConfigurationFields
import Testing

@testable import Stages

@Suite("A key of cached outcomes")
struct CaseKeyTests {
    @Test("has the case's id in its place")
    func place() throws {
        let id = UUID.testing(1)
        #expect(try CaseKey(parsing: "report:{case_id}")(id) == "report:\(id)")
        #expect(try CaseKey(parsing: "{case_id}")(id) == "\(id)")
        #expect(try CaseKey(parsing: "a{case_id}:v2")(id) == "a\(id):v2")
        #expect(CaseKey.report.text == "report:{case_id}")
    }

    @Test(
        "names the case exactly once",
        arguments: ["", "report", "{case_id}{case_id}", "{CASE_ID}", "{case_id"])
    func malformed(_ text: String) {
        #expect(throws: Refusal.self) { try CaseKey(parsing: text) }
    }

    @Test("is no longer than a key should be")
    func length() {
        #expect(throws: Refusal.self) {
            try CaseKey(parsing: "{case_id}" + String(repeating: "x", count: 512))
        }
    }
}
