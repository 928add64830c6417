import ConfigurationFields
import LocatedJSON
import Testing

@Suite("What fields say about themselves")
struct ReferenceTests {
    @Test("is a JSON Schema, substitutions included")
    func schema() {
        let schema = Sample.schema(title: "sample")
        #expect(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema")
        #expect(schema["required"] == ["topic", "from"])
        #expect(schema["additionalProperties"] == false)
        let properties = schema["properties"]
        #expect(
            properties?["max_batch"] == [
                "anyOf": [
                    ["type": "integer", "minimum": 1, "maximum": 10_000],
                    ["$ref": "#/$defs/substitution"],
                ],
                "description": "Most records at once. From 1 to 10000. In records.",
                "default": 500,
            ])
        #expect(properties?["trigger"]?["$ref"] == "#/$defs/rule")
        #expect(schema["$defs"]?["rule"] == ["type": "object"])
        #expect(schema["$defs"]?["substitution"] != nil)
        #expect(properties?["start"]?["anyOf"]?.items?.first == ["enum": ["earliest", "latest"]])
        #expect(properties?["from"]?["items"]?["required"] == ["resource"])
        #expect(properties?["password"]?["writeOnly"] == true)
    }

    @Test("is a table in Markdown")
    func markdown() {
        #expect(
            Sample.Retry.markdown(heading: "retry") == """
                ## retry

                How often to try again.

                | key | type | default | what |
                |---|---|---|---|
                | `attempts` | whole number | `3` | Most attempts. From 1 up. |

                """)
        let text = Sample.markdown(heading: "sample")
        #expect(
            text.contains("| `topic` | text | required | Topic to read. Example: `\"orders\"`. |"))
        #expect(text.contains("| `from[].resource` | text | required |"))
        #expect(text.contains("| `retry.attempts` |"))
    }

    @Test("keeps one name for JSON and for the command line")
    func names() throws {
        let field = try #require(Sample.fields.first { $0.name == "max_batch" })
        #expect(field.key == "max_batch")
        #expect(field.option == "max-batch")
        #expect(field.fallback == 500)
    }
}
