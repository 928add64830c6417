import ConfigurationFields
import LocatedJSON
import Testing

@Suite("A document's references to its environment")
struct SubstitutionReferenceTests {
    private func references(_ text: String) -> [SubstitutionReference] {
        JSON.parse(Array(text.utf8)).value?.references ?? []
    }

    @Test("are found in objects and lists, in the order of the text, with their places")
    func found() {
        let found = references(
            """
            { "url": { "$env": "URL", "default": { "$env": "NOT_READ" } },
              "list": [ 1, { "$file": "/run/secret" } ] }
            """)
        #expect(found.map(\.place) == [.environment("URL"), .file("/run/secret")])
        #expect(found.map(\.path.description) == ["$.url", "$.list[1]"])
        #expect(found.map(\.hasDefault) == [true, false])
        #expect(found.map(\.position?.line) == [1, 2])
    }

    @Test("are none in what is not well-formed", arguments: ["{}", "[]", #"{"a":{"$env":5}}"#])
    func none(_ text: String) { #expect(references(text).isEmpty) }

    @Test(
        "are secret by the name of the variable, or of what it is for",
        arguments: [#"{"sasl.password":{"$env":"A"}}"#, #"{"url":{"$env":"API_TOKEN"}}"#])
    func secret(_ text: String) { #expect(references(text).map(\.isNamedAsSecret) == [true]) }
}
