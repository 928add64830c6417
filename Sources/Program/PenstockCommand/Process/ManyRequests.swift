internal import CommandLineInterface
internal import Concurrency
internal import DryRunReport
internal import GRPCTransport
internal import PipelineCore
internal import Protobuf
internal import ReportMessages

/// The requests of `penstock report create --file`: one a line, checked before the first is sent.
///
/// Each has a case id before it is sent, so that what the server did not answer is sent again, and
/// makes no second case.
struct ManyRequests {
    /// So many wait for their answers at a time.
    private static let inFlight = 64
    /// Lines that are told of where a file is refused.
    private static let mostMistakes = 20
    private static let clock = PipelineClock.system

    private typealias Answer = Result<CreateReportResponse, GRPCStatusError>

    private let path: String
    private let requests: [(line: Int, request: ReportRequest)]

    /// - Throws: ``CommandFailure`` for a file that can't be read, is empty, or has a line that is
    ///   no request.
    init(path: String) throws {
        self.path = path
        let bytes = try ProcessEnvironment.readRequests(path)
        var requests: [(line: Int, request: ReportRequest)] = []
        var mistakes: [String] = []
        let random = RandomSource()
        for (number, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
            .enumerated() where !line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 })
        {
            do {
                var request = try ReportRequest(jsonUTF8Bytes: Array(line))
                if request.caseID.isEmpty { request.caseID = random.uuid().description }
                requests.append((number + 1, request))
            } catch {
                mistakes.append("\(path):\(number + 1): is no request: \(error)")
            }
        }
        if !mistakes.isEmpty {
            let more = mistakes.count - Self.mostMistakes
            let shown = mistakes.prefix(Self.mostMistakes) + (more > 0 ? ["and \(more) more"] : [])
            throw CommandFailure(
                .usage, shown.joined(separator: "\n") + "\nnothing was sent")
        }
        if requests.isEmpty { throw CommandFailure(.usage, "\(path) has no requests") }
        self.requests = requests
    }

    /// Prints the case of each request that was accepted, in the order of the file.
    ///
    /// - Parameters:
    ///   - limit: how long each is sent again while the server is away.
    ///   - show: prints an answer.
    func send(
        by client: GRPCClient, within limit: Duration, _ console: Console,
        _ show: (CreateReportResponse) throws -> Void
    ) async throws -> ExitCode {
        var answers: [Answer?] = Array(repeating: nil, count: requests.count)
        var next = 0
        var done = 0
        var shown = 0
        var refused = 0
        var code = ExitCode.success
        try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
            func start() {
                guard next < requests.count else { return }
                let (place, request) = (next, requests[next].request)
                next += 1
                group.addTask {
                    (place, try await Self.send(request, by: client, within: limit))
                }
            }
            for _ in 0..<Self.inFlight { start() }
            while let (place, answer) = try await group.next() {
                answers[place] = answer
                done += 1
                start()
                while shown < answers.count, let answer = answers[shown] {
                    switch answer {
                    case .success(let response): try show(response)
                    case .failure(let error):
                        refused += 1
                        if code != .unavailable {
                            code = error.exitCode == .unavailable ? .unavailable : .failure
                        }
                        console.err("\(path):\(requests[shown].line): \(error)\n")
                    }
                    shown += 1
                }
                if console.isTerminal { console.err("\r\(done) of \(requests.count) requests ") }
            }
        }
        if console.isTerminal { console.err("\n") }
        let accepted = (requests.count - refused).counting("request", "requests")
        console.err(
            "\(accepted) accepted" + (refused == 0 ? "" : ", \(refused) not accepted") + "\n")
        return code
    }

    /// Again and again while the server is away.
    private static func send(
        _ request: ReportRequest, by client: GRPCClient, within limit: Duration
    ) async throws -> Answer {
        let end = clock.now.advanced(by: limit)
        while true {
            do throws(GRPCStatusError) {
                return .success(
                    try await client.call(
                        ReportServiceMethods.createReport, .with { $0.request = request },
                        timeout: limit))
            } catch {
                guard error.code == .unavailable, clock.now < end else { return .failure(error) }
                try await clock.sleep(for: error.retryAfter ?? ReportClient.pause)
            }
        }
    }
}
