internal import GRPCTransport
internal import PipelineCore
internal import Protobuf
internal import ReportMessages
internal import Specification

/// The report API's client behind `penstock report`.
struct ReportClient {
    /// The server waits no longer in one call.
    private static let longestCall: Duration = .seconds(60)

    private let options: ReportClientOptions
    private let console: Console
    private let client: GRPCClient
    private let clock = PipelineClock.system

    init(_ options: ReportClientOptions, _ console: Console) throws {
        self.options = options
        self.console = console
        do { client = try GRPCClient(target: options.server) } catch {
            throw CommandFailure(.usage, "--server \(options.server): \(error)")
        }
    }

    func create(_ wanted: CreateReportOptions) async throws -> ExitCode {
        var request = ReportRequest()
        request.caseID = wanted.caseID ?? RandomSource().uuid().description
        request.productID = wanted.product
        request.checkoutID = wanted.checkout
        request.period = try .with {
            $0.startTime = try CommandTime.parse(wanted.from, option: "from", clock)
            $0.endTime = try CommandTime.parse(wanted.to, option: "to", clock)
        }
        request.requester = wanted.requester
        request.deadline = try wanted.deadline.map {
            try CommandTime.parse($0, option: "deadline", clock)
        }
        let response = try await call(
            ReportServiceMethods.createReport, CreateReportRequest.with { $0.request = request })
        switch options.format {
        case .json: console.out(try json(response))
        case .text:
            console.err((response.status?.message ?? "accepted") + "\n")
            console.out(response.caseID + "\n")
        }
        return .success
    }

    func get(_ id: String) async throws -> ExitCode {
        try show(try await call(ReportServiceMethods.getReport, .with { $0.caseID = id }))
    }

    func wait(_ id: String, _ limit: Duration) async throws -> ExitCode {
        let deadline = clock.now.advanced(by: limit)
        while true {
            let rest = max(clock.now.duration(to: deadline), .zero)
            let step = min(rest, Self.longestCall)
            let answer = try await call(
                ReportServiceMethods.waitReport,
                .with {
                    $0.caseID = id
                    $0.timeout = Google_Protobuf_Duration(step)
                }, extra: step)
            let shown = GetReportResponse(answer)
            if shown.isFinal || clock.now >= deadline { return try show(shown) }
            if console.isTerminal { console.err("waiting: \(shown.status?.message ?? "")\n") }
        }
    }

    private func show(_ answer: GetReportResponse) throws -> ExitCode {
        switch options.format {
        case .json: console.out(try json(answer))
        case .text: console.out(ReportText.of(answer))
        }
        switch answer.result {
        case .report?: return .success
        case .status? where answer.isFinal: return .failure
        case .status?, nil: return .temporaryFailure
        }
    }

    private func json(_ message: some Message) throws -> String {
        String(decoding: try message.jsonUTF8Bytes(), as: UTF8.self) + "\n"
    }

    private func call<Request: Message, Response: Message>(
        _ method: MethodDescriptor<Request, Response>, _ request: Request,
        extra: Duration = .zero
    ) async throws -> Response {
        do {
            return try await client.call(method, request, timeout: options.timeout + extra)
        } catch {
            throw CommandFailure(error.exitCode, "\(options.server): \(error)")
        }
    }
}

extension GRPCStatusError {
    fileprivate var exitCode: ExitCode {
        switch code {
        case .unavailable, .deadlineExceeded: .unavailable
        case .invalidArgument: .usage
        default: .failure
        }
    }
}

extension GetReportResponse {
    /// The two responses have the same fields.
    fileprivate init(_ response: WaitReportResponse) {
        self.init()
        caseID = response.caseID
        result = response.result.map {
            switch $0 {
            case .report(let report): .report(report)
            case .status(let status): .status(status)
            }
        }
    }

    var status: ReportStatus? { if case .status(let status)? = result { status } else { nil } }

    var isFinal: Bool {
        switch result {
        case .report?: return true
        case nil: return false
        case .status(let status)?:
            switch status.state {
            case .succeeded, .failed, .cancelled, .expired: return true
            default: return false
            }
        }
    }
}
