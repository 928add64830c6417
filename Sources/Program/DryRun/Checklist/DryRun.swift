internal import ConfigurationDiagnostics
public import ConfigurationFields
public import DryRunReport
public import PipelineConfiguration
public import PipelineCore

/// Looks at a pipeline file, its environment, its backends, and what it would do with a trace of arrivals.
public struct DryRun: Sendable {
    /// Runs a pipeline over the trace that the options describe.
    /// - Throws: ``SimulationSkipped``; `CommandFailure` for options that can't be read.
    public typealias Simulate =
        @Sendable (PipelineDefinition, SimulationOptions, Catalogue) async throws ->
        SimulationReport

    /// A pipeline file, read.
    public struct Source: Sendable {
        /// As the operator named it.
        public var file: String
        /// - Throws: `Diagnostic` that says why it can't be read.
        public var bytes: @Sendable () throws -> [UInt8]
        public init(file: String, bytes: @escaping @Sendable () throws -> [UInt8]) {
            self.file = file
            self.bytes = bytes
        }
    }

    /// A page has colours for no more, and a table no room.
    public static let mostComparisons = 5

    private let catalogue: Catalogue
    private let environment: Environment
    private let context: ResourceContext
    private let isOffline: Bool
    private let timeout: Duration
    private let options: SimulationOptions
    private let simulate: Simulate

    /// - Parameters:
    ///   - context: what resources are made with; it must not claim to run pipelines.
    ///   - isOffline: whether no backend is asked for anything.
    ///   - timeout: how long each backend may take to answer.
    public init(
        catalogue: Catalogue, environment: Environment, context: ResourceContext, isOffline: Bool,
        timeout: Duration, options: SimulationOptions, simulate: @escaping Simulate
    ) {
        precondition(!context.isRunning, "a dry run claims nothing")
        self.catalogue = catalogue
        self.environment = environment
        self.context = context
        self.isOffline = isOffline
        self.timeout = timeout
        self.options = options
        self.simulate = simulate
    }

    /// Goes through the checklist: every step that can be done is done, whatever failed before.
    ///
    /// - Parameter others: files to simulate on the same trace, at most ``mostComparisons``.
    /// - Throws: what ``Simulate`` throws besides a skip.
    public func report(on source: Source, comparedWith others: [Source] = []) async throws
        -> DryRunReport
    {
        var report = DryRunReport(file: source.file)
        let definition = read(source, into: &report)
        let otherDefinitions = others.compactMap { read($0, into: &report) }
        if isOffline {
            report.checks.append(DryRunCheck(.connect, "", .skip, "not asked: --offline"))
        } else if let definition {
            report.checks += await ConnectStep(
                definition: definition, catalogue: catalogue, context: context, timeout: timeout
            ).checks()
        } else {
            report.checks.append(
                DryRunCheck(.connect, "", .skip, "nothing to connect to: \(Self.reason(report))"))
        }
        guard let definition, otherDefinitions.count == others.count else {
            report.checks.append(
                DryRunCheck(.simulate, "", .skip, "nothing to simulate: \(Self.reason(report))"))
            return report
        }
        try await simulate(definition, otherDefinitions, into: &report)
        return report
    }

    private static func reason(_ report: DryRunReport) -> String {
        report.checks.contains { $0.step == .static && $0.status == .fail }
            ? "the file is not in order" : "its environment is not complete"
    }

    private func read(
        _ source: Source, into report: inout DryRunReport
    ) -> PipelineDefinition? {
        let subject = source.file == report.file ? "" : source.file
        let reading: PipelineReading
        do {
            let bytes = try source.bytes()
            reading = PipelineReader(catalogue: catalogue, environment: environment)
                .read(bytes, file: source.file)
        } catch {
            let problem = error as? Diagnostic ?? Diagnostic(.unreadableFile, "\(error)")
            report.diagnostics.list += Diagnostics([problem]).located(in: source.file).list
            report.checks += [
                DryRunCheck(.static, subject, .fail, "\(source.file) \(problem.message)"),
                DryRunCheck(.environment, subject, .skip, "the file was not read"),
            ]
            return nil
        }
        report.diagnostics.list += reading.diagnostics.list
        let environment = EnvironmentStep(reading: reading, environment: environment)
        report.checks.append(
            StaticStep(reading: reading, isAboutEnvironment: environment.owns).check(subject))
        report.checks += environment.checks(subject)
        return reading.rehearsal
    }

    private func simulate(
        _ definition: PipelineDefinition, _ others: [PipelineDefinition],
        into report: inout DryRunReport
    ) async throws {
        do {
            let first = try await simulate(definition, options, catalogue)
            report.simulation = first
            report.checks.append(first.check(subject: ""))
            for other in others {
                let next = try await simulate(other, options, catalogue)
                report.others.append(next)
                report.checks.append(next.check(subject: other.file))
            }
        } catch let skipped as SimulationSkipped {
            report.checks.append(DryRunCheck(.simulate, "", .skip, skipped.reason))
        } catch let problems as Diagnostics {
            report.diagnostics.list += problems.list
            report.checks.append(
                DryRunCheck(.simulate, "", .fail, "the trace can't be read: see below"))
        } catch let error as PipelineError {
            report.checks.append(
                DryRunCheck(.simulate, "", .fail, "the pipeline gave up: \(error)"))
        }
    }
}
