internal import Protobuf
internal import ReportMessages

/// A report, or a status, for people.
enum ReportText {
    static func of(_ answer: GetReportResponse) -> String {
        switch answer.result {
        case .report(let report)?: text(report)
        case .status(let status)?: text(status)
        case nil: "the server answered without a report or a status\n"
        }
    }

    private static func text(_ report: Report) -> String {
        var lines = [("case", report.caseID), ("product", report.productID)]
        if let checkout = report.checkoutID { lines.append(("checkout", checkout)) }
        if let start = report.period?.startTime, let end = report.period?.endTime {
            lines.append(("period", "\(written(start)) up to \(written(end))"))
        }
        lines += [
            ("views", "\(report.viewsCount)"), ("payments", "\(report.paymentsCount)"),
            ("conversion ratio", report.conversionRatio.map { "\($0)" } ?? "none (no payments)"),
        ]
        if let asOf = report.dataAsOf { lines.append(("data as of", written(asOf))) }
        if let time = report.generatedAt { lines.append(("generated at", written(time))) }
        return lines.map { padded($0.0) + $0.1 + "\n" }.joined()
    }

    static func text(_ status: ReportStatus) -> String {
        var text = status.message + "\n"
        if !status.waitsFor.isEmpty { text += padded("waits for") + status.waitsFor + "\n" }
        if let deadline = status.deadline { text += padded("deadline") + written(deadline) + "\n" }
        if let after = status.pollAfter {
            text += padded("ask again in") + "\(after.seconds) s\n"
        }
        if let error = status.error {
            text += padded("reason") + "\(error.code): \(error.message)\n"
        }
        return text
    }

    private static func padded(_ label: String) -> String {
        label + String(repeating: " ", count: max(1, 18 - label.count))
    }

    static func written(_ time: Google_Protobuf_Timestamp) -> String {
        guard let json = try? time.jsonUTF8Bytes() else { return "?" }
        return String(decoding: json.dropFirst().dropLast(), as: UTF8.self)
    }
}
