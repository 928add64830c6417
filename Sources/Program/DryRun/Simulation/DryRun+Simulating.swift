internal import ConfigurationFields
public import PipelineConfiguration
public import PipelineCore

extension DryRun {
    /// Runs the pipeline over the trace that the options describe.
    ///
    /// - Throws: ``SimulationSkipped``; `Diagnostics` for a recorded trace that can't be read.
    @Sendable public static func simulate(
        _ definition: PipelineDefinition, _ options: SimulationOptions, _ catalogue: Catalogue
    ) throws -> SimulationReport {
        var rehearsal = PipelineRehearsal(
            definition, catalogue: catalogue,
            trace: try trace(for: definition, options, catalogue), cost: options.generation)
        rehearsal.workers = options.workers
        rehearsal.seed = options.seed
        return try rehearsal.run(progress: options.progress)
    }

    private static func trace(
        for definition: PipelineDefinition, _ options: SimulationOptions, _ catalogue: Catalogue
    ) throws -> ArrivalTrace {
        if let input = options.input {
            return try RecordedArrivals.read(try input.bytes(), file: input.file)
        }
        let codec =
            definition.stages.lazy.compactMap { ($0.settings as? any DecodingStage)?.codec }.first
            ?? "raw"
        guard let sample = catalogue.codec(codec)?.sample else {
            throw SimulationSkipped(
                "messages of the codec \"\(codec)\" can't be made up: give a trace with --input FILE"
            )
        }
        var mix = ArrivalMix(patterns: options.arrivals)
        mix.repeats = options.repeats
        mix.malformed = options.malformed
        mix.seed = options.seed
        return ArrivalTrace(mix, startingAt: options.start, sample: sample)
    }
}

/// Where simulated messages come in: one input of the pipeline's `ingest`.
enum ArrivalInput {
    case topic(ResourceName, String)
    case api(ResourceName)
    case lines(ResourceName)

    /// A topic if there is one, else the API, else lines; `nil` if nothing can be read.
    init?(of definition: PipelineDefinition) {
        guard let source = definition.stages.first(where: { $0.role == .source }) else {
            return nil
        }
        for use in source.contract.uses {
            guard let topic = use.topic else { continue }
            self = .topic(use.resource, topic.name)
            return
        }
        let names = source.contract.uses.map(\.resource)
        func first(_ kind: ResourceKind) -> ResourceName? {
            names.first { definition.resource($0)?.kinds.contains(kind) == true }
        }
        if let name = first(.api) {
            self = .api(name)
        } else if let name = first(.lines) {
            self = .lines(name)
        } else {
            return nil
        }
    }

    var description: String {
        switch self {
        case .topic(_, let topic): "messages come in by the topic \(topic)"
        case .api(let name): "messages come in by calls of \"\(name.text)\""
        case .lines(let name): "messages come in by lines of \"\(name.text)\""
        }
    }
}

extension SimulationReport {
    /// The checklist's entry: failed when an answer was late, or never came.
    func check(subject: String) -> DryRunCheck {
        let ran = "\(cases.count) cases in \(traceLength.text), \(batches.count) batches"
        let verdict = verdict
        if verdict.isGood {
            let longest = waits.last.map { "\(ran): the longest wait was \($0.inSeconds.text)" }
            return DryRunCheck(.simulate, subject, .ok, longest ?? verdict.sentence)
        }
        if waits.isEmpty {
            return DryRunCheck(.simulate, subject, .fail, "\(ran): none was answered")
        }
        return DryRunCheck(
            .simulate, subject, .fail,
            "\(ran): \(late) answers came after their deadline, \(afterSLA) after the SLA of \(sla.text), "
                + "\(unanswered) never",
            hint: "a smaller max_age, more workers, or a longer sla")
    }
}

extension Duration {
    /// Fractions of a second are below what the assumptions bear.
    fileprivate var inSeconds: Duration { .seconds(components.seconds) }
}
