internal import CommandLineInterface
internal import ConfigurationFields
internal import ConversionReports
internal import GRPCTransport
internal import LocatedJSON
internal import Logging
internal import Metrics
internal import PipelineConfiguration
internal import PipelineCore
internal import PipelineRuntime
internal import ReportService
internal import StandardCatalogue

struct RunOptions: Settings {
    enum Role: String, Choice { case all, api, worker }

    static let summary = "Runs pipelines, and the API, in one process."
    let role: Role
    let service: ServiceOptions
    let watch: Bool
    let paused: Bool
    let adminService: String?
    let tokens: String?
    fileprivate let files: [String]

    init(_ field: Fields) {
        role = field(
            "role",
            "What this process does: everything, the head of pipelines with the API, or the work without the API.",
            default: .all)
        service = ServiceOptions(field)
        watch = field(
            "watch", "Reloads the files when one of them has changed, as SIGHUP does.",
            default: false)
        paused = field(
            "paused",
            "Holds up everything that has a ledger before anything is begun, as `penstock pause --intake` does.",
            default: false)
        adminService = field.optional(
            "admin_service",
            "Where penstock.admin.v1 listens, for `--server` of other commands: a socket that only this user may open, or host:port of loopback.",
            example: "unix:/run/penstock/admin.sock"
        ) { AdminService.objection(to: $0) }
        tokens = field.optional(
            "tokens",
            "A file of `penstock token`: an admin service on host:port then lets in operators and admins alone.",
            example: "/etc/penstock/tokens.json")
        files = field.arguments(
            "FILE", "Pipeline files; any *.schema.json among them is passed over.",
            example: ["Pipelines/conversion-reports.json"],
            completion: .files)
    }
}

extension PenstockCommand {
    static func run(_ catalogue: Catalogue) -> Command {
        Command(
            "run", RunOptions.self,
            details: """
                Stops gracefully on SIGTERM and SIGINT: inputs end, what is in flight settles, \
                nothing waits for a trigger; a second signal ends at once. Whatever hangs two \
                seconds after the grace is named in the log, and the process ends with 70. Ends by \
                itself when every input has ended and everything is delivered.

                SIGHUP reloads: the files are read and checked, and what is not in order changes \
                nothing. Then inputs end, what is in flight settles within a second or is handed \
                back, and the pipelines go on as the files now say, with what waits in the ledger; \
                callers wait for that. If the new files turn out not to run here, the old ones go \
                on. The log says which, and penstock_reloads_total counts it, 31 seconds later at \
                the latest, whatever is away: 5 for questions to what the files use, 6 for the old \
                pipelines to end, 20 for the new ones to be ready. By then they stay, ready or \
                not, if their ledgers know them, and give way to the old ones otherwise. The next \
                reload begins after that.

                /readyz tells whether the process can work now; /healthz whether it gets on by \
                itself: it turns 503, says why, and systemd's watchdog hears nothing more, when a \
                step is five minutes late (a generation run beyond its timeout, a look at the rule, \
                a statement, a delivery) while everything that the process uses can be reached.
                """,
            examples: [
                .init("Pipelines/*.json", "Everything in one process."),
                .init("--role worker Pipelines/*.json", "One of several workers."),
            ]
        ) { options, console in
            if options.tokens != nil, options.adminService?.hasPrefix("unix:") ?? true {
                throw CommandFailure(
                    .usage,
                    "--tokens is for --admin-service on host:port; an API's are named in its pipeline file"
                )
            }
            let first = try PipelineFiles.read(
                options.files, catalogue: catalogue, console: console)
            let logger = options.service.logger("penstock")
            try ProcessEnvironment.raiseFileLimit()
            try ProcessEnvironment.reserveThreads()
            do {
                let stop = try ProcessStop(grace: options.service.grace, logger: logger)
                try await ReloadingRun(
                    files: options.files,
                    process: ProcessContext(
                        catalogue: catalogue, options: options, logger: logger, stop: stop)
                ).run(first)
            } catch let error as PipelineError {
                // Whoever closes a pipe has seen enough, and is not told.
                if error.exitCode == .outputClosed { return .outputClosed }
                let doubt =
                    error.isOfEnvironment ? "the files are in order, but here they can't run: " : ""
                throw CommandFailure(error.exitCode, doubt + error.description)
            }
            return .success
        }
    }
}

/// What every command takes that runs until it is told to stop.
struct ServiceOptions: Sendable {
    private enum Level: String, Choice { case trace, debug, info, notice, warning, error }
    enum Format: String, Choice { case auto, text, json }

    let grace: Duration
    let admin: String?
    private let logLevel: Level
    private let logFormat: Format

    init(_ field: Fields) {
        grace = field(
            "grace", "How long work in flight may take after a stop.", default: .seconds(30))
        admin = field.optional(
            "admin", "Where /metrics, /healthz and /readyz listen.", example: "127.0.0.1:9464")
        logLevel = field("log_level", "The least important events that are logged.", default: .info)
        logFormat = field(
            "log_format", "How events are written; auto is text on a terminal and JSON elsewhere.",
            default: .auto)
    }

    func logger(_ label: String) -> Logger {
        let format = LogFormat(rawValue: logFormat.rawValue) ?? .auto
        return Logger(label: label, level: Logger.Level(rawValue: logLevel.rawValue) ?? .info) {
            StreamLogHandler.standardError(label: $0, format: format)
        }
    }
}

extension Logger {
    /// Logs what the gRPC library has to say from now on.
    func takeGRPCLog() {
        let log = LibraryLog("gRPC", clock: .system, logger: self)
        GRPCLog.receive { line in
            log.log(line.isError ? .warning : .debug, "core", line.message)
        }
    }
}

struct GenerateOptions: Settings {
    static let summary =
        "Serves generation to pipelines in other processes, whose generator is grpc://HOST:PORT."
    let listen: String
    let store: String?
    let service: ServiceOptions

    init(_ field: Fields) {
        listen = field(
            "listen", "Where it listens.", default: "grpc://127.0.0.1:50052",
            example: "grpc://0.0.0.0:50052"
        ) { address in
            address.hasPrefix("grpc://") ? nil : "must be grpc://host:port"
        }
        store = field.optional(
            "store",
            "The store with the events; PENSTOCK_STORE otherwise, or the embedded default.",
            example: "postgres://penstock@db:5432/penstock")
        service = ServiceOptions(field)
    }
}

extension PenstockCommand {
    static func generate(_ catalogue: Catalogue) -> Command {
        Command(
            "generate", GenerateOptions.self,
            details: """
                Reads the store and writes nothing, so that any number can run, and a batch whose \
                generator dies is generated by another. Stops gracefully on SIGTERM and SIGINT: \
                calls in flight finish within the grace; a second signal ends at once. Whatever \
                hangs two seconds after the grace is named in the log, and the process ends with \
                70.
                """,
            examples: [
                .init(
                    "--listen grpc://0.0.0.0:50052 --store postgres://penstock@db/penstock",
                    "One of several generators; a pipeline names them all."),
                .init("--log-level debug", "On the store that PENSTOCK_STORE names."),
            ]
        ) { options, _ in
            let logger = options.service.logger("penstock")
            try ProcessEnvironment.raiseFileLimit()
            try ProcessEnvironment.reserveThreads()
            do {
                let stop = try ProcessStop(grace: options.service.grace, logger: logger)
                try await GeneratorRun(
                    options: options, catalogue: catalogue, logger: logger, stop: stop
                ).run()
            } catch let error as PipelineError {
                throw CommandFailure(error.exitCode, error.description)
            }
            return .success
        }
    }
}
