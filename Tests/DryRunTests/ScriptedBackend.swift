import ConfigurationDiagnostics
import ConfigurationFields
import DryRun
import DryRunReport
import Logging
import PipelineCore
import PipelineTesting
import StandardCatalogue

/// A backend that finds what a test says.
struct ScriptedBackend: Resource {
    let closings: Journal<String>
    let address: ResourceAddress
    let inspection: @Sendable ([ResourceNeed]) async throws -> [ResourceFinding]

    func probe() async throws {}
    func inspect(
        for needs: [ResourceNeed], timeout: Duration
    ) async throws -> [ResourceFinding] { try await inspection(needs) }
    func close() async { closings.note(address.description) }
}

/// A dry run of a text, with the standard stages on backends of a test's making.
struct Checklist {
    /// What each scheme's backend finds; by default all that is needed.
    var backends: [String: @Sendable ([ResourceNeed]) async throws -> [ResourceFinding]] = [:]
    var generator: (@Sendable (String, Duration) async -> [ResourceFinding])?
    var variables: [String: String] = [:]
    var files: [String: String] = [:]
    /// Stages beside those that ship.
    var foreign: [any StagePlugin.Type] = []
    var isOffline = false
    var timeout: Duration = .seconds(60)
    var clock = PipelineClock.system
    var simulate: DryRun.Simulate = { _, _, _ in throw SimulationSkipped("not in this test") }
    let closings = Journal<String>()
    let openings = Journal<String>()

    static let servers = [
        "PENSTOCK_BUS": "kafka://penstock:s3cret@broker:9092",
        "PENSTOCK_STORE": "postgres://penstock:s3cret@db/penstock",
        "PENSTOCK_CACHE": "redis://:s3cret@cache:6379/0",
        "PENSTOCK_GENERATOR": "conversion",
    ]

    func report(on text: String, file: String = "reports.json") async throws -> DryRunReport {
        let run = DryRun(
            catalogue: catalogue,
            environment: Environment(variables: variables) { path in
                guard let text = files[path] else {
                    throw Diagnostic(.unreadableFile, "no such file")
                }
                return text
            },
            context: ResourceContext(
                clock: clock, random: RandomSource(seed: 1), logger: LogCapture().logger(),
                isRunning: false),
            isOffline: isOffline, timeout: timeout,
            options: SimulationOptions(
                arrivals: [], generation: .usual, start: Timestamp(microseconds: 0)),
            simulate: simulate)
        return try await run.report(on: DryRun.Source(file: file) { Array(text.utf8) })
    }

    @Sendable private static func allIsThere(
        _ needs: [ResourceNeed]
    ) async throws -> [ResourceFinding] {
        [ResourceFinding(.ok, "it answers")]
            + needs.map { ResourceFinding($0.subject, .ok, "is there") }
    }

    private var catalogue: Catalogue {
        var catalogue = Catalogue.standard
        catalogue.stages += foreign
        catalogue.connectors = catalogue.connectors.map { connector in
            var connector = connector
            let found = backends[connector.schemes[0]] ?? Self.allIsThere
            connector.open = { [closings, openings] address, _ in
                openings.note(address.description)
                return ScriptedBackend(closings: closings, address: address, inspection: found)
            }
            return connector
        }
        catalogue.generators = catalogue.generators.map { registration in
            var registration = registration
            if registration.inspect != nil, let generator { registration.inspect = generator }
            return registration
        }
        return catalogue
    }
}
