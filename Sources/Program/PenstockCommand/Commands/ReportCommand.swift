internal import CommandLineInterface
internal import ConfigurationFields
internal import GRPCTransport
internal import PipelineCore
internal import Protobuf
internal import ReportMessages

/// Where the API is, and how answers are printed.
struct ReportClientOptions: Sendable {
    enum Format: String, Choice { case text, json }
    let server: String
    let credential: ClientCredential
    let format: Format
    let timeout: Duration?

    /// - Parameter limit: what the timeout bounds.
    init(_ field: Fields, timeout limit: String = "How long to wait for the server; 10s without.") {
        let named: String? = field.optional(
            "server",
            "The API: host:port, or grpc://host:port as in a pipeline file. Without: PENSTOCK_SERVER, or 127.0.0.1:50051.",
            example: "127.0.0.1:50051")
        server =
            named ?? ProcessEnvironment.variables["PENSTOCK_SERVER"].flatMap {
                $0.isEmpty ? nil : $0
            }
            ?? "127.0.0.1:50051"
        credential = ClientCredential(field)
        format = field("format", "How the answer is printed.", default: .text)
        timeout = field.optional(
            "timeout", limit, example: .seconds(10), in: .milliseconds(1) ... .seconds(3600))
    }
}

struct CreateReportOptions: Settings {
    static let summary = "Asks for a conversion report."
    fileprivate let client: ReportClientOptions
    let file: String?
    let caseID: String?
    let product: String?
    let checkout: String?
    let from: String?
    let to: String?
    let requester: String?
    let deadline: String?

    init(_ field: Fields) {
        client = ReportClientOptions(field)
        file = field.optional(
            "file",
            "Asks for many at once: a file with a request a line, the message ReportRequest in JSON; `-` is standard input. The other options are for one.",
            example: "requests.jsonl")
        caseID = field.optional(
            "case_id", "Names the request, so that a repeat is no second one; random otherwise.",
            example: "6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11")
        let isAlone = file == nil
        func one(_ name: String, _ text: String, example: String) -> String? {
            isAlone
                ? field(name, text, example: example)
                : field.optional(name, text, example: example)
        }
        product = one("product", "The product.", example: "product-1")
        checkout = field.optional("checkout", "Only this checkout.", example: "checkout-1")
        from = one(
            "from", "First instant of the period, RFC 3339; a date is its midnight in UTC.",
            example: "2026-10-01")
        to = one(
            "to", "First instant after the period.", example: "2026-11-01T00:00:00Z")
        requester = field.optional("requester", "Who asks.", example: "ada")
        deadline = field.optional(
            "deadline",
            "When the report is wanted at the latest: RFC 3339, or a duration from now.",
            example: "30s")
    }
}

extension Fields {
    fileprivate var caseID: String {
        argument("CASE_ID", "The request.", example: "6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11")
    }
}

private struct GetReportOptions: Settings {
    static let summary = "Prints a report, or where its request stands."
    let client: ReportClientOptions
    let caseID: String

    init(_ field: Fields) {
        client = ReportClientOptions(field)
        caseID = field.caseID
    }
}

private struct CancelReportOptions: Settings {
    static let summary = "Cancels a request that is not wanted any more."
    let client: ReportClientOptions
    let caseID: String

    init(_ field: Fields) {
        client = ReportClientOptions(field)
        caseID = field.caseID
    }
}

private struct WaitReportOptions: Settings {
    static let summary = "Waits for a report and prints it."
    let client: ReportClientOptions
    let wait: Duration
    let caseID: String

    init(_ field: Fields) {
        client = ReportClientOptions(
            field, timeout: "How long the command may take altogether, whatever it waits for.")
        wait = field(
            "for", "How long to wait for the report; exits with 75 when it is not there by then.",
            default: .seconds(60), in: .zero ... .seconds(86_400 * 7))
        caseID = field.caseID
    }
}

private struct RefreshReportOptions: Settings {
    static let summary = "Has a finished report generated anew."
    let client: ReportClientOptions
    let caseID: String

    init(_ field: Fields) {
        client = ReportClientOptions(field)
        caseID = field.caseID
    }
}

struct ListReportsOptions: Settings {
    enum State: String, Choice {
        case pending, sealed, running, succeeded, failed, cancelled, expired

    }
    enum Order: String, Choice { case newest, oldest }

    static let summary = "Lists requests and where they stand."
    fileprivate let client: ReportClientOptions
    let requester: String?
    let state: State?
    let product: String?
    let from: String?
    let to: String?
    let order: Order
    let limit: Int

    init(_ field: Fields) {
        client = ReportClientOptions(field)
        requester = field.optional("requester", "Only of that requester.", example: "ada")
        state = field.optional("state", "Only those in that state.", example: .pending)
        product = field.optional("product", "Only for that product.", example: "product-1")
        from = field.optional(
            "from", "Only those accepted then or later: RFC 3339, or a date.",
            example: "2026-10-01")
        to = field.optional("to", "Only those accepted before.", example: "2026-11-01")
        order = field("order", "Which come first.", default: .newest)
        limit = field("limit", "How many at most.", default: 100, in: 1...1_000_000)
    }
}

extension PenstockCommand {
    static var report: Command {
        Command(
            "report", "Asks for reports and reads them, over the gRPC API.",
            examples: [
                .init(
                    "create --product product-1 --from 2026-10-01 --to 2026-11-01",
                    "Asks; prints the case's id."),
                .init("wait 6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11", "Waits for the answer."),
            ],
            commands: [
                createReport, getReport, waitReport, listReports, cancelReport, refreshReport,
            ])
    }

    private static var createReport: Command {
        Command(
            "create", CreateReportOptions.self,
            details: "The answer means that the request is stored and will be answered.",
            examples: [
                .init("--product product-1 --from 2026-10-01 --to 2026-11-01", "All of October."),
                .init(
                    "--product product-1 --from 2026-10-01 --to 2026-11-01 --deadline 5m",
                    "Wanted soon."),
                .init("--file requests.jsonl", "A request a line; prints a case's id a line."),
            ]
        ) { options, console in
            try await ReportClient(options.client, console).create(options)
        }
    }

    private static var getReport: Command {
        Command(
            "get", GetReportOptions.self,
            details:
                "Exits with 0 for a report, 75 for one that is not ready, 1 for one that failed.",
            examples: [.init("6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11", "Reads a report.")]
        ) { options, console in
            try await ReportClient(options.client, console).get(options.caseID)
        }
    }

    private static var waitReport: Command {
        Command(
            "wait", WaitReportOptions.self,
            details: """
                Exits with 0 for a report, 75 for one that is not ready, 1 for one that failed, 69 \
                when the server could not be reached until the end. A server that goes away \
                meanwhile is waited for.
                """,
            examples: [
                .init("--for 5m 6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11", "Waits up to five minutes.")
            ]
        ) { options, console in
            try await ReportClient(options.client, console).wait(options.caseID, options.wait)
        }
    }

    private static var listReports: Command {
        Command(
            "list", ListReportsOptions.self,
            details: "The newest first; with `--format json` the message ListedReport a line.",
            examples: [
                .init("--requester ada --state pending", "What ada still waits for."),
                .init("--from 2026-10-01 --limit 1000 --format json", "For a program."),
            ]
        ) { options, console in
            try await ReportClient(options.client, console).list(options)
        }
    }

    private static var refreshReport: Command {
        Command(
            "refresh", RefreshReportOptions.self,
            details: """
                In the next batch, by the data as it is then. Until that is there the report that \
                there is is answered. One that is not finished yet is left as it is.
                """,
            examples: [.init("6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11", "Its data have changed.")]
        ) { options, console in
            try await ReportClient(options.client, console).refresh(options.caseID)
        }
    }

    private static var cancelReport: Command {
        Command(
            "cancel", CancelReportOptions.self,
            details: """
                Also one whose batch is sealed or runs: the batch goes on without it. Exits with 0 for \
                a request that is cancelled now or was before, 1 for one that has its answer already, \
                which is printed. Asking for it again opens it again.
                """,
            examples: [.init("6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11", "Nobody wants it any more.")]
        ) { options, console in
            try await ReportClient(options.client, console).cancel(options.caseID)
        }
    }
}
