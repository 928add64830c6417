internal import DryRun
internal import Logging
internal import PipelineCore
internal import Specification

struct DryRunOptions: Settings {
    enum Format: String, Choice { case text, json, html }

    static let summary =
        "Goes through a checklist before `run`: the file, its environment, its backends, and a simulation."
    let offline: Bool
    let strict: Bool
    let format: Format
    let timeout: Duration
    let compare: String?
    let arrivals: [String]
    let input: String?
    let generation: String
    let workers: Int
    let start: String?
    let seed: Int
    let repeats: Share
    let malformed: Share
    let file: String

    init(_ field: Fields) {
        offline = field("offline", "Asks no backend for anything: no network.", default: false)
        strict = field("strict", "Fails when anything was skipped.", default: false)
        format = field("format", "How the report is printed.", default: .text)
        timeout = field(
            "timeout", "How long each backend may take to answer.", default: .seconds(5),
            in: .milliseconds(10) ... .seconds(600))
        compare = field.optional(
            "compare", "Another file, simulated on the same trace.",
            example: "Pipelines/other-rule.json")
        arrivals = field(
            "arrivals", "What arrives when; several are added up.", default: [],
            example: ["poisson 200/h for 24h"])
        input = field.optional(
            "input", "Requests with timestamps, one a line.", example: "requests.jsonl")
        generation = field(
            "generation", "What a run is assumed to take for n cases.", default: "30s + 10ms*n")
        workers = field("workers", "Processes that share the work.", default: 1, in: 1...100)
        start = field.optional(
            "start", "When the trace starts, for `cron` rules; now without it.",
            example: "2026-11-02T08:00:00Z")
        seed = field("seed", "Repeats a simulation exactly.", default: 1, in: 0...)
        repeats = field(
            "repeats", "Share of messages that arrive twice.", default: Share(0),
            example: Share(0.05))
        malformed = field(
            "malformed", "Share of messages that can't be read.", default: Share(0),
            example: Share(0.01))
        file = field.argument(
            "FILE", "The pipeline file.", example: "Pipelines/conversion-reports.json",
            completion: .files)
        field.check("compare") {
            compare != nil && arrivals.isEmpty && input == nil
                ? "--compare needs a trace: --arrivals or --input" : nil
        }
    }

    var simulation: SimulationOptions {
        SimulationOptions(
            arrivals: arrivals, input: input, generation: generation, workers: workers,
            start: start, seed: UInt64(seed), repeats: repeats.value, malformed: malformed.value)
    }
}

extension PenstockCommand {
    static func dryRun(_ catalogue: Catalogue) -> Command {
        Command(
            "dry-run", DryRunOptions.self,
            details: """
                Changes nothing: no record is read or written, no topic or table made, no position moved, no port listened on. \
                Each entry of the checklist is ok, FAIL, or SKIP with its reason.
                  static       the file is in order, as `validate` sees it
                  environment  the variables and files that it refers to are there
                  connect      the backends answer and have what the pipeline needs
                  simulate     what the rules do with a trace of arrivals, in virtual time
                Exit codes: 0 all is well; 1 a check failed (under --strict also when one was skipped); 64 the command line was \
                not understood; 69 a backend can't be reached; 78 the file or its environment is not in order.
                """,
            examples: [
                .init("Pipelines/conversion-reports.json", "Before `run`, on its machine."),
                .init(
                    "Pipelines/conversion-reports.json --offline --arrivals \"poisson 200/h for 24h\"",
                    "What a day would look like, from anywhere."),
                .init(
                    "old.json --compare new.json --arrivals \"daily 5000/d for 3d\"",
                    "What a change of the rule buys and costs."),
            ]
        ) { options, console in
            let run = DryRun(
                catalogue: catalogue,
                environment: ProcessEnvironment.specification(missing: .error),
                context: ResourceContext(
                    clock: .system, random: RandomSource(),
                    // What connectors have to say of a backend is in the report.
                    logger: Logger(label: "penstock", level: .critical), isRunning: false),
                isOffline: options.offline, timeout: options.timeout, options: options.simulation,
                simulate: DryRunSimulation.run)
            let report = try await run.report(
                on: source(options.file), comparedWith: options.compare.map(source))
            console.out(DryRunOutput(report: report, options: options).text)
            return report.exitCode(strict: options.strict)
        }
    }

    private static func source(_ file: String) -> DryRun.Source {
        DryRun.Source(file: file) { try ProcessEnvironment.readFile(file) }
    }
}
