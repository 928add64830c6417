internal import CommandLineInterface
internal import ConfigurationFields
internal import DryRun
internal import DryRunRendering
internal import DryRunReport
internal import LocatedJSON
internal import Logging
internal import PipelineCore
internal import Protobuf

private struct DryRunOptions: Settings {
    enum Format: String, Choice { case text, json, html }

    static let summary =
        "Goes through a checklist before `run`: the file, its environment, its backends, and a simulation."
    let offline: Bool
    let strict: Bool
    let format: Format
    let timeout: Duration
    let compare: [String]
    private let arrivals: [ArrivalPattern]
    let input: String?
    private let generation: GenerationCostModel
    private let workers: Int
    let start: String?
    private let seed: Int
    private let repeats: Share
    private let malformed: Share
    let file: String

    init(_ field: Fields) {
        offline = field("offline", "Asks no backend for anything: no network.", default: false)
        strict = field("strict", "Fails when anything was skipped.", default: false)
        format = field("format", "How the report is printed.", default: .text)
        timeout = field(
            "timeout", "How long each backend may take to answer.", default: .seconds(5),
            in: .milliseconds(10) ... .seconds(600))
        compare = field(
            "compare", "Another file, simulated on the same trace; up to five.",
            default: [], example: ["Pipelines/other-rule.json"])
        arrivals = field(
            "arrivals",
            "What arrives when: poisson, uniform or daily RATE for TIME [from TIME], burst N at TIME [over TIME]. Several are added up.",
            default: [.usualDay], example: [.usualDay])
        input = field.optional(
            "input",
            "A recorded trace instead: a line of JSON per message, with \"at\" and \"payload\".",
            example: "requests.jsonl")
        generation = field(
            "generation", "What a generation run is assumed to take for n cases.",
            default: .usual)
        workers = field("workers", "Processes that share the work.", default: 1, in: 1...100)
        start = field.optional(
            "start", "When a made-up trace starts; at midnight (UTC) of today without it.",
            example: "2026-11-02T08:00:00Z")
        seed = field("seed", "Repeats a simulation exactly.", default: 1, in: 0...)
        repeats = field(
            "repeats", "Share of messages that arrive twice.", default: Share(0),
            example: Share(0.05))
        malformed = field(
            "malformed", "Share of messages that can't be read.", default: Share(0),
            example: Share(0.01))
        field.refuse(
            ["arrivals", "start", "repeats", "malformed"], beside: "input",
            because: "a recorded trace says what arrives and when")
        field.refuse(["timeout"], beside: "offline", because: "no backend is asked")
        file = field.argument(
            "FILE", "The pipeline file.", example: "Pipelines/conversion-reports.json",
            completion: .files)
    }

    /// - Throws: `CommandFailure` `usage` for a start that is no time.
    func simulation(_ console: Console) throws -> SimulationOptions {
        var options = SimulationOptions(
            arrivals: arrivals, input: input.map { DryRun.Source(trace: $0) },
            generation: generation, workers: workers, start: try startTime(), seed: UInt64(seed),
            repeats: repeats.value, malformed: malformed.value)
        if console.isTerminal {
            options.progress = { console.err("\rsimulating … \(Int($0 * 100)) % \r") }
        }
        return options
    }

    private func startTime() throws -> Timestamp {
        guard let start else {
            let now = PipelineClock.system.timestamp.microseconds
            return Timestamp(microseconds: now - now % 86_400_000_000)
        }
        let time = try CommandTime.parse(start, option: "start", .system)
        return Timestamp(microseconds: time.seconds * 1_000_000 + Int64(time.nanos) / 1000)
    }
}

extension DryRunOptions.Format {
    fileprivate func text(_ report: DryRunReport, exitCode: ExitCode) -> String {
        switch self {
        case .text:
            report.text(width: StandardOutput.width, colour: StandardOutput.isForPeople)
        case .json: report.json(exitCode: Int(exitCode.rawValue)).written(.pretty) + "\n"
        case .html: report.html()
        }
    }
}

extension DryRun.Source {
    init(named file: String) {
        self.init(file: file) { try ProcessEnvironment.readPipeline(file) }
    }
    init(trace file: String) {
        self.init(file: file) { try ProcessEnvironment.readFile(file, limit: 1 << 30) }
    }
}

extension PenstockCommand {
    static func dryRun(_ catalogue: Catalogue) -> Command {
        Command(
            "dry-run", DryRunOptions.self,
            details: """
                Changes nothing: no record is read or written, no topic or table made, no position \
                moved, no port listened on. Each entry of the checklist is ok, FAIL, or SKIP with \
                its reason.
                  static       the file is in order, as `validate` sees it
                  environment  the variables and files that it refers to are there
                  connect      the backends answer and have what the pipeline needs
                  simulate     what the rules do with a trace of arrivals, in virtual time
                Exit codes: 0 all is well; 1 a check failed (under --strict also when one was \
                skipped); 64 the command line was not understood; 69 a backend can't be reached; \
                78 the file or its environment is not in order.
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
            guard options.compare.count <= DryRun.mostComparisons else {
                throw CommandFailure(
                    .usage,
                    "--compare takes \(DryRun.mostComparisons) files, not \(options.compare.count)")
            }
            let wanted = try options.simulation(console)
            let run = DryRun(
                catalogue: catalogue,
                environment: ProcessEnvironment.ofFiles(missing: .error),
                context: inspection, isOffline: options.offline, timeout: options.timeout,
                options: wanted
            ) { try DryRun.simulate($0, $1, $2) }
            let others = options.compare.map { DryRun.Source(named: $0) }
            let report = try await run.report(
                on: DryRun.Source(named: options.file), comparedWith: others)
            let exitCode = report.outcome(strict: options.strict).exitCode
            console.out(options.format.text(report, exitCode: exitCode))
            return exitCode
        }
    }

    /// What connectors have to say of a backend is in the report, not in a log.
    private static var inspection: ResourceContext {
        ResourceContext(
            clock: .system, random: RandomSource(),
            logger: Logger(label: "penstock", level: .critical), isRunning: false)
    }
}

/// A part of a whole, written `5%` or `0.05`.
struct Share: TextValue, Equatable {
    static let kind = "share"
    /// From 0 to 1.
    let value: Double
    let text: String

    init(_ value: Double) {
        self.value = value
        let hundredths = (value * 10_000).rounded() / 100
        text = hundredths == hundredths.rounded() ? "\(Int(hundredths))%" : "\(hundredths)%"
    }

    init(parsing text: String) throws(Refusal) {
        let isPercent = text.hasSuffix("%")
        guard let number = Double(isPercent ? String(text.dropLast()) : text) else {
            throw Refusal(.invalidValue, "is not a share", hint: "for example 5%")
        }
        let value = isPercent ? number / 100 : number
        guard (0...1).contains(value) else {
            throw Refusal(.outOfRange, "lies outside 0% to 100%")
        }
        self.init(value)
    }
}

extension DryRunReport.Outcome {
    /// How the command ends.
    var exitCode: ExitCode {
        switch self {
        case .passed: .success
        case .failed: .failure
        case .unreachable: .unavailable
        case .misconfigured: .configuration
        }
    }
}
