// Foundation reads the shipped files; nothing else of it is used.
import Foundation
import PipelineConfiguration
import PipelineCore
import ConfigurationFields
import StandardCatalogue

@testable import DryRun
import DryRunReport

/// Rehearsals of the shipped pipelines, changed a little.
enum Rehearsal {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// A shipped pipeline as it stands in its file.
    static func text(_ file: String) throws -> String {
        let path = root.appending(path: "Pipelines/\(file)")
        return String(decoding: try Data(contentsOf: path), as: UTF8.self)
    }

    static func definition(
        _ file: String = "conversion-reports.json", changing changes: [(String, String)] = []
    ) throws -> PipelineDefinition {
        var text = try text(file)
        for (old, new) in changes {
            precondition(text.contains(old), "\(old) is not in \(file)")
            text = text.replacing(old, with: new)
        }
        let reading = PipelineReader(catalogue: .standard, environment: Environment()).read(
            Array(text.utf8), file: file)
        guard let definition = reading.definition else { throw reading.diagnostics }
        return definition
    }

    static func trace(
        _ patterns: String..., repeats: Double = 0, malformed: Double = 0, seed: UInt64 = 1,
        start: Timestamp = Timestamp(microseconds: 1_767_225_600_000_000),
        codec: String = "report-request"
    ) throws -> ArrivalTrace {
        var mix = ArrivalMix(patterns: try patterns.map { try ArrivalPattern(parsing: $0) })
        mix.repeats = repeats
        mix.malformed = malformed
        mix.seed = seed
        return ArrivalTrace(
            mix, startingAt: start, sample: Catalogue.standard.codec(codec)!.sample!)
    }

    static func run(
        _ definition: PipelineDefinition, _ trace: ArrivalTrace, cost: String = "30s + 10ms*n",
        workers: Int = 1
    ) throws -> SimulationReport {
        var rehearsal = PipelineRehearsal(
            definition, catalogue: .standard, trace: trace,
            cost: try GenerationCostModel(parsing: cost))
        rehearsal.workers = workers
        return try rehearsal.run()
    }
}

// Foundation reads and writes files; nothing else of it is used.
import Foundation
import Testing

/// The texts in `Golden`, beside this one.
///
/// `PENSTOCK_UPDATE_GOLDEN=1 swift test` writes what the code says now, to be read in the change.
enum GoldenText {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "Golden")

    /// Compares a text with the golden file of that name.
    static func expect(
        _ text: String, toBe name: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let file = folder.appending(path: name)
        if ProcessInfo.processInfo.environment["PENSTOCK_UPDATE_GOLDEN"] != nil {
            try Data(text.utf8).write(to: file)
        }
        let golden = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        // The texts are long: their first difference says more than both of them.
        let place = zip(text.split(separator: "\n"), golden.split(separator: "\n"))
            .first { $0 != $1 }
        #expect(
            text == golden,
            "\(name) differs: \(place.map { "\"\($0)\" instead of \"\($1)\"" } ?? "in length")",
            sourceLocation: sourceLocation)
    }
}
