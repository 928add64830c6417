internal import ConfigurationDiagnostics
internal import LocatedJSON
internal import PipelineConfiguration
internal import PipelineCore

/// A pipeline file that is in order, into which the parts of examples are put.
enum ExampleFile {
    private static let text = """
        {
          "version": 1,
          "name": "example",
          "sla": "24h",
          "resources": {
            "bus": { "url": "kafka://broker:9092" },
            "store": { "url": "postgres://db/penstock" },
            "cache": { "url": "memory:64MiB" },
            "api": { "url": "grpc://127.0.0.1:50051" }
          },
          "stages": [
            { "id": "requests", "type": "ingest", "codec": "report-request",
              "from": [ { "resource": "bus", "topic": "report-requests" }, { "resource": "api" } ] },
            { "id": "unique", "type": "dedupe" },
            { "id": "batch", "type": "accumulate", "store": "store", "trigger": { "max_age": "12h" } },
            { "id": "reports", "type": "generate", "generator": "conversion", "store": "store" },
            { "id": "ready", "type": "publish", "to": "bus", "topic": "report-ready" },
            { "id": "answers", "type": "cache", "in": "cache" }
          ]
        }
        """

    /// What a string with this in it stands for: a part that need not even be JSON.
    private static let mark = "THE-PART"

    /// The file with a part in its place; another name for each, so that they can run together.
    static func bytes(with part: Diagnostic.Part, number: Int) -> [UInt8] {
        guard !part.path.isEmpty, let path = JSONPath(relative: part.path) else {
            return part.bytes
        }
        var root: JSON
        do throws(JSON.ParsingError) { root = try JSON(parsing: text) } catch {
            preconditionFailure("\(error)")
        }
        if number > 1 {
            root = root.replacing(.string("example-\(number)"), at: [.key("name")])
            let api = JSON.string("grpc://127.0.0.1:\(50_050 + number)")
            root = root.replacing(api, at: [.key("resources"), .key("api"), .key("url")])
        }
        root = root.replacing(.string(mark), at: path.steps[...])
        let halves = root.written(.pretty).split(separator: JSON.quoted(mark), maxSplits: 1)
        return Array(halves[0].utf8) + part.bytes + Array((halves.last ?? "").utf8) + [0x0A]
    }
}

extension JSON {
    /// The value with another one at a path; a key that is not there is added.
    fileprivate func replacing(_ new: JSON, at path: ArraySlice<JSONPath.Step>) -> JSON {
        guard let step = path.first else { return new }
        switch (step, value) {
        case (.key(let key), .object(var members)):
            let inner = self[key] ?? JSON.object([])
            let changed = Member(key, inner.replacing(new, at: path.dropFirst()))
            if let index = members.firstIndex(where: { $0.key == key }) {
                members[index] = changed
            } else {
                members.append(changed)
            }
            return JSON(.object(members))
        case (.index(let index), .array(var items)) where items.indices.contains(index):
            items[index] = items[index].replacing(new, at: path.dropFirst())
            return JSON(.array(items))
        default: return self
        }
    }
}
