internal import CommandLineInterface
internal import Protobuf
internal import ReportMessages

extension ReportClient {
    /// Most cases that are asked for in one call.
    private static let page = 1000

    /// Prints a line a case, page by page as they come.
    func list(_ wanted: ListReportsOptions) async throws -> ExitCode {
        var request = ListReportsRequest.with {
            $0.requester = wanted.requester ?? ""
            $0.productID = wanted.product ?? ""
            $0.states = wanted.state.map { [ReportState(word: $0.rawValue)] } ?? []
            $0.orderBy = wanted.order == .oldest ? "accepted_at" : "accepted_at desc"
        }
        request.acceptedFrom = try wanted.from.map {
            try CommandTime.parse($0, option: "from", clock)
        }
        request.acceptedBefore = try wanted.to.map {
            try CommandTime.parse($0, option: "to", clock)
        }
        var left = wanted.limit
        if options.format == .text { console.out(Self.header) }
        while left > 0 {
            request.pageSize = Int32(min(left, Self.page))
            let response = try await call(ReportServiceMethods.listReports, request)
            for report in response.reports {
                console.out(options.format == .json ? try json(report) : Self.line(of: report))
            }
            left -= response.reports.count
            request.pageToken = response.nextPageToken
            if response.nextPageToken.isEmpty { return .success }
        }
        console.err("there are more: --limit\n")
        return .success
    }

    func refresh(_ id: String) async throws -> ExitCode {
        let response = try await call(ReportServiceMethods.refreshReport, .with { $0.caseID = id })
        switch options.format {
        case .json: console.out(try json(response))
        case .text:
            console.out("revision \(response.revision) is to come\n")
            if let status = response.status { console.out(ReportText.text(status)) }
        }
        return .success
    }

    private static let header = row("CASE", "STATE", "ACCEPTED", "PRODUCT", "REQUESTER")

    private static func line(of report: ListedReport) -> String {
        row(
            report.caseID, report.status?.state.word ?? "?",
            report.status?.acceptedAt.map { String(ReportText.written($0).prefix(19)) + "Z" }
                ?? "?",
            (report.request?.productID ?? "").printable,
            (report.request?.requester ?? "").printable)
    }

    private static func row(_ columns: String...) -> String {
        let widths = [36, 9, 20, 20]
        return zip(columns, widths).map { text, width in
            text + String(repeating: " ", count: max(0, width - text.count)) + "  "
        }.joined() + (columns.last ?? "") + "\n"
    }
}

extension ReportState {
    private static let prefix = "REPORT_STATE_"

    /// `succeeded`
    fileprivate var word: String {
        (protoName?.dropFirst(Self.prefix.count)).map { $0.lowercased() } ?? "?"
    }

    fileprivate init(word: String) {
        self.init(rawValue: Self.numbers[Self.prefix + word.uppercased()] ?? 0)
    }
}
