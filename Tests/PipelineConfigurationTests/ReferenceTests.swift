import ConfigurationFields
import LocatedJSON
import PipelineConfiguration
import PipelineCore
import Testing

@Suite("What a catalogue says about pipeline files")
struct ReferenceTests {
    let catalogue = SampleStages.catalogue

    @Test("is a JSON Schema of the whole file")
    func schema() throws {
        let schema = PipelineSchema.document(for: catalogue)
        try GoldenFile.expect(schema.written(.pretty) + "\n", toBe: "sample.schema.json")
        #expect(schema["required"] == ["version", "name", "stages"])
        #expect(schema["additionalProperties"] == false)
    }

    @Test("has a definition for everything that its schema refers to")
    func references() {
        let schema = PipelineSchema.document(for: catalogue)
        func references(_ json: JSON) -> [String] {
            let own = json["$ref"]?.string.map { [$0] } ?? []
            return own + (json.items ?? []).flatMap(references)
                + (json.members ?? []).flatMap { references($0.value) }
        }
        for reference in Set(references(schema)) {
            #expect(schema["$defs"]?[String(reference.dropFirst("#/$defs/".count))] != nil)
        }
    }

    @Test("is a reference of a stage in every format")
    func stages() throws {
        try GoldenFile.expect(
            StageReference.stage(Accumulate.self, as: .text), toBe: "accumulate.reference.txt")
        try GoldenFile.expect(
            StageReference.stage(Accumulate.self, as: .markdown), toBe: "accumulate.reference.md")
        let json = try JSON(parsing: StageReference.stage(Accumulate.self, as: .json))
        #expect(json["example"]?["type"] == "accumulate")
        #expect(json["schema"]?["properties"]?["max_batch"]?["default"] == 512)
    }

    @Test("is an overview of everything a file may name")
    func overview() throws {
        try GoldenFile.expect(
            StageReference.catalogue(catalogue, as: .text), toBe: "catalogue.reference.txt")
        #expect(StageReference.catalogue(catalogue, as: .markdown).contains("| `conversion` |"))
        let json = try JSON(parsing: StageReference.catalogue(catalogue, as: .json))
        #expect(json["stages"]?.items?.count == 6)
    }

    @Test("gives an example of every stage that decodes")
    func examples() throws {
        for stage in catalogue.stages {
            func decode<Plugin: StagePlugin>(_ plugin: Plugin.Type) -> Plugin? {
                DecodingContext().decode(
                    settings: plugin, from: StageReference.example(plugin), besides: ["id", "type"])
            }
            #expect(decode(stage) != nil, "\(stage.type)")
        }
    }
}

// Foundation reads and lists files; nothing else of it is used.
import Foundation
import Testing

/// The files in `Golden`, beside this one.
///
/// `PENSTOCK_UPDATE_GOLDEN=1 swift test` writes what the code says now, to be read in the change.
enum GoldenFile {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "Golden")

    /// Every pipeline file whose diagnostics are kept.
    static var pipelines: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".json") && !$0.hasSuffix(".schema.json") }.sorted()
    }

    static func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appending(path: name)))
    }

    /// Compares a text with the golden file of that name.
    static func expect(
        _ text: String, toBe name: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let file = folder.appending(path: name)
        if ProcessInfo.processInfo.environment["PENSTOCK_UPDATE_GOLDEN"] != nil {
            try Data(text.utf8).write(to: file)
        }
        let golden = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        #expect(text == golden, sourceLocation: sourceLocation)
    }
}
