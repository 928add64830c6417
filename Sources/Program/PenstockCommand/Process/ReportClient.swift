internal import ConfigurationFields
internal import CommandLineInterface
internal import GRPCTransport
internal import LocatedJSON
internal import PipelineCore
internal import Protobuf
internal import ReportMessages

/// The report API's client behind `penstock report`.
struct ReportClient {
    /// The server waits no longer in one call.
    private static let longestCall: Duration = .seconds(60)
    /// How long an answer may take where nobody says so.
    private static let usualTimeout: Duration = .seconds(10)
    /// Before a server that is away is asked again.
    static let pause: Duration = .milliseconds(200)

    let options: ReportClientOptions
    let console: Console
    private let client: GRPCClient
    let clock = PipelineClock.system

    init(_ options: ReportClientOptions, _ console: Console) throws {
        self.options = options
        self.console = console
        var configuration = GRPCClient.Configuration(
            target: try ServerTarget.of(options.server))
        configuration.metadata = try options.credential.metadata
        do { client = try GRPCClient(configuration: configuration) } catch {
            throw CommandFailure(.usage, "--server \(options.server): \(error)")
        }
    }

    func create(_ wanted: CreateReportOptions) async throws -> ExitCode {
        if let file = wanted.file { return try await createMany(file, wanted) }
        guard let product = wanted.product, let from = wanted.from, let to = wanted.to else {
            throw CommandFailure(.usage, "--product, --from and --to, or --file, are needed")
        }
        var request = ReportRequest()
        request.caseID = wanted.caseID ?? RandomSource().uuid().description
        request.productID = product
        request.checkoutID = wanted.checkout
        request.period = try .with {
            $0.startTime = try CommandTime.parse(from, option: "from", clock)
            $0.endTime = try CommandTime.parse(to, option: "to", clock)
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

    private func createMany(_ file: String, _ wanted: CreateReportOptions) async throws -> ExitCode
    {
        let others = [
            wanted.caseID, wanted.product, wanted.checkout, wanted.from, wanted.to,
            wanted.requester, wanted.deadline,
        ]
        guard others.allSatisfy({ $0 == nil }) else {
            throw CommandFailure(
                .usage, "--file names whole requests: it goes with --server, --format and --timeout"
            )
        }
        return try await ManyRequests(path: file).send(
            by: client, within: options.timeout ?? Self.usualTimeout, console
        ) { response in
            console.out(options.format == .json ? try json(response) : response.caseID + "\n")
        }
    }

    func get(_ id: String) async throws -> ExitCode {
        try show(try await call(ReportServiceMethods.getReport, .with { $0.caseID = id }))
    }

    func cancel(_ id: String) async throws -> ExitCode {
        let response = try await call(ReportServiceMethods.cancelReport, .with { $0.caseID = id })
        let answer = try GetReportResponse(sameAs: response)
        _ = try show(answer)
        return answer.status?.state == .cancelled ? .success : .failure
    }

    /// Waits through restarts of the server, too: until the limit it is asked again.
    func wait(_ id: String, _ limit: Duration) async throws -> ExitCode {
        let bounds = WaitBounds(limit, options.timeout, from: clock.now)
        var isAway = false
        var last: GetReportResponse?
        while true {
            let step = min(bounds.wait(at: clock.now), Self.longestCall)
            let answer: WaitReportResponse
            do {
                answer = try await client.call(
                    ReportServiceMethods.waitReport,
                    .with {
                        $0.caseID = id
                        $0.timeout = Google_Protobuf_Duration(step)
                    }, timeout: min(step + Self.usualTimeout, bounds.rest(at: clock.now)))
            } catch {
                // What was answered before still holds, if nothing else came in time.
                if error.code == .deadlineExceeded, let last { return try show(last) }
                guard error.code == .unavailable, !bounds.areOver(at: clock.now) else {
                    throw failure(error)
                }
                if !isAway { console.err("\(options.server): \(error); trying again\n") }
                isAway = true
                try await clock.sleep(for: min(Self.pause, bounds.wait(at: clock.now)))
                continue
            }
            let shown = try GetReportResponse(sameAs: answer)
            if shown.isFinal || bounds.areOver(at: clock.now) { return try show(shown) }
            last = shown
            isAway = false
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

    func json(_ message: some Message) throws -> String {
        String(decoding: try message.jsonUTF8Bytes(), as: UTF8.self) + "\n"
    }

    func call<Request: Message, Response: Message>(
        _ method: MethodDescriptor<Request, Response>, _ request: Request
    ) async throws -> Response {
        do {
            return try await client.call(
                method, request, timeout: options.timeout ?? Self.usualTimeout)
        } catch {
            throw failure(error)
        }
    }

    private func failure(_ error: GRPCStatusError) -> CommandFailure {
        CommandFailure(error.exitCode, "\(options.server): \(error)")
    }
}

/// How long `report wait` waits for the report, and how long it may take altogether.
private struct WaitBounds {
    /// The server waits no shorter: zero is no wait, and refused.
    private static let least: Duration = .milliseconds(1)
    /// What an answer may take on its way, of a command that must not take longer than it was told.
    private static let way: Duration = .milliseconds(500)

    private let waitEnd: Instant
    private let end: Instant?

    init(_ limit: Duration, _ timeout: Duration?, from start: Instant) {
        end = timeout.map { start.advanced(by: $0) }
        let longest = timeout.map { $0 - min(Self.way, $0 / 4) }
        waitEnd = start.advanced(by: min(limit, longest ?? limit))
    }

    /// For how long the server is to wait.
    func wait(at now: Instant) -> Duration { max(now.duration(to: waitEnd), Self.least) }

    /// For how long the command may go on.
    func rest(at now: Instant) -> Duration {
        end.map { max(now.duration(to: $0), Self.least) } ?? .seconds(Int64(Int32.max))
    }

    func areOver(at now: Instant) -> Bool { now >= waitEnd }
}

extension GRPCStatusError {
    var exitCode: ExitCode {
        switch code {
        case .unavailable, .deadlineExceeded: .unavailable
        case .invalidArgument: .usage
        default: .failure
        }
    }
}

extension GetReportResponse {
    /// Of a call whose response has the same fields, and so the same bytes.
    fileprivate init(sameAs response: some Message) throws {
        try self.init(serializedBytes: try response.serializedBytes())
    }

    fileprivate var status: ReportStatus? {
        if case .status(let status)? = result { status } else { nil }
    }

    fileprivate var isFinal: Bool {
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

/// The servers that commands call.
enum ServerTarget {
    /// What the gRPC library calls a server that was written as `host:port`, or as in a pipeline
    /// file.
    ///
    /// - Throws: ``CommandFailure`` `usage` for another scheme than the API has.
    static func of(_ written: String) throws -> String {
        guard let end = written.firstRange(of: "://") else { return written }
        guard written[..<end.lowerBound].lowercased() == "grpc" else {
            // Names of the library's own resolvers.
            if ["dns", "ipv4", "ipv6", "unix"].contains(String(written[..<end.lowerBound])) {
                return written
            }
            throw CommandFailure(
                .usage, "--server \(written): expected host:port or grpc://host:port")
        }
        let rest = written[end.upperBound...]
        return String(rest.hasSuffix("/") ? rest.dropLast() : rest)
    }
}

/// Points of time as people type them.
enum CommandTime {
    /// RFC 3339, a date (its midnight in UTC), or a duration from now: `2026-10-01`, `90s`.
    /// - Throws: ``CommandFailure`` `usage`.
    static func parse(
        _ text: String, option: String, _ clock: PipelineClock
    ) throws -> Google_Protobuf_Timestamp {
        let isDate = text.count == 10 && !text.contains("T")
        let full = isDate ? "\(text)T00:00:00Z" : text
        if let time = try? Google_Protobuf_Timestamp(
            jsonUTF8Bytes: Array(JSON.quoted(full).utf8))
        {
            return time
        }
        if let duration = try? Duration.parse(text, unit: nil) {
            let then = clock.timestamp.advanced(by: duration).microseconds
            return .with {
                $0.seconds = then / 1_000_000
                $0.nanos = Int32(then % 1_000_000) * 1000
            }
        }
        throw CommandFailure(
            .usage,
            "--\(option) \(text): expected RFC 3339 (2026-10-01T00:00:00Z), a date, or a duration from now (90s)"
        )
    }
}
