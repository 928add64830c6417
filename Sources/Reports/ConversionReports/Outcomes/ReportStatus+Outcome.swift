internal import PipelineCore
internal import Protobuf
internal import ReportMessages

extension ReportState {
    init(_ state: CaseState) {
        switch state {
        case .pending: self = .pending
        case .sealed: self = .sealed
        case .running: self = .running
        case .succeeded: self = .succeeded
        case .failed: self = .failed
        case .cancelled: self = .cancelled
        case .expired: self = .expired
        }
    }
}

extension ReportError {
    /// The outcome's reason (`code: sentence`), its code in the form the message demands:
    /// `UPPER_CASE`.
    init(of outcome: Outcome) {
        self.init()
        let reason = outcome.reason ?? ""
        let head = reason.utf8.prefix { $0 != UInt8(ascii: ":") }
        let rest = reason.utf8[head.endIndex...].dropFirst().drop { $0 == UInt8(ascii: " ") }
        if head.endIndex != reason.endIndex && !head.isEmpty && head.allSatisfy(\.isCodeLetter) {
            code = Substring(head).upperSnake
            message = String(Substring(rest))
        } else {
            code = outcome.state.rawValue[...].upperSnake
            message = reason
        }
    }
}

extension GetReportResponse {
    /// The reply for a case that ended without a report.
    init(statusOf outcome: Outcome) {
        self.init()
        var status = ReportStatus()
        status.state = ReportState(outcome.state)
        status.message =
            "Report is not done! Report status is \(outcome.state.rawValue[...].capitalized)"
        status.deadline = Google_Protobuf_Timestamp(outcome.deadline)
        status.batchID = outcome.batchName
        status.error = ReportError(of: outcome)
        caseID = outcome.caseID.description
        revision = Int32(clamping: outcome.revision)
        result = .status(status)
    }
}

extension UInt8 {
    fileprivate var isCodeLetter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

extension Substring {
    fileprivate var upperSnake: String {
        String(map { $0 == "-" ? "_" : Character($0.uppercased()) })
    }

    fileprivate var capitalized: String { prefix(1).uppercased() + dropFirst() }
}
