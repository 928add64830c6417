public import PipelineCore
internal import Protobuf
internal import ReportMessages

/// Renders outcomes of conversion reports: announcements for consumers, replies for caches.
///
/// Both depend on the outcome alone: the same outcome gives the same bytes, in every process.
public struct ReportOutcomeEncoder: OutcomeEncoder {
    public init() {}

    /// `conversionreports.v1.ReportReady` as ProtoJSON with the proto file's names (`case_id`),
    /// keyed by the case's id.
    ///
    /// `event_id`, in the message and in a header, is the outcome's id.
    /// - Throws: ``PipelineError`` `unreadable-outcome` when the outcome holds no report that can
    ///   be read.
    public func announcement(_ outcome: Outcome) throws -> OutgoingRecord {
        var ready = ReportReady()
        ready.eventID = outcome.id.description
        ready.caseID = outcome.caseID.description
        ready.state = ReportState(outcome.state)
        ready.batchID = outcome.batchName ?? ""
        ready.revision = Int32(clamping: outcome.revision)
        if outcome.state == .succeeded {
            ready.result = .report(try outcome.decodedReport())
        } else {
            ready.result = .error(ReportError(of: outcome))
        }
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        return OutgoingRecord(
            key: Array(ready.caseID.utf8)[...],
            payload: try ready.jsonUTF8Bytes(options: options)[...],
            headers: [Self.contentType, Header("event_id", ready.eventID)])
    }

    /// `conversionreports.v1.GetReportResponse` in the binary format: what a read answers, without
    /// encoding it again.
    ///
    /// - Throws: ``PipelineError`` `unreadable-outcome` for a case that succeeded without a report.
    public func cached(_ outcome: Outcome) throws -> Bytes {
        guard outcome.state == .succeeded else {
            return try GetReportResponse(statusOf: outcome).serializedBytes()[...]
        }
        guard let report = outcome.report else { throw outcome.unreadable("it has no report") }
        // The report is encoded already: it only needs the envelope's fields around it, and when it
        // was made at its end.
        let requester = outcome.requester ?? ""
        let generatedAt = try Report.with {
            $0.generatedAt = Google_Protobuf_Timestamp(outcome.writtenAt)
        }.serializedBytes()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(report.count + generatedAt.count + requester.utf8.count + 60)
        bytes.append(fieldTag: 1)
        bytes.append(varint: 36)
        bytes.append(contentsOf: outcome.caseID.description.utf8)
        bytes.append(fieldTag: 2)
        bytes.append(varint: report.count + generatedAt.count)
        bytes.append(contentsOf: report)
        bytes.append(contentsOf: generatedAt)
        bytes.append(4 << 3)
        bytes.append(varint: outcome.revision)
        if !requester.isEmpty {
            bytes.append(fieldTag: 5)
            bytes.append(varint: requester.utf8.count)
            bytes.append(contentsOf: requester.utf8)
        }
        return bytes[...]
    }

    /// Most bytes of an answer that is looked into: a report's have a few hundred.
    private static let answerLimit = 64 << 10

    /// Decodes the bytes, and compares the case that they speak of, in the answer and in the
    /// report.
    public func recognize(_ bytes: Bytes, of id: UUID) -> CachedAnswer {
        guard bytes.count <= Self.answerLimit,
            let answer = try? GetReportResponse(serializedBytes: bytes)
        else { return .foreign }
        let name = id.description
        guard answer.caseID == name else { return .foreign }
        switch answer.result {
        case .report(let report)?:
            return report.caseID == name ? .lasting(revision: Int(answer.revision)) : .foreign
        case .status?: return .passing
        case nil: return .foreign
        }
    }

    private static let contentType = Header("content-type", "application/json")
}

extension Outcome {
    /// The batch's name for people; `nil` for a case that ended without one.
    fileprivate var batchName: String? { batch > 0 ? String(batch) : nil }

    fileprivate func decodedReport() throws -> Report {
        guard let report else { throw unreadable("it has no report") }
        do {
            var report = try Report(serializedBytes: report)
            report.generatedAt = Google_Protobuf_Timestamp(writtenAt)
            return report
        } catch {
            throw unreadable("its report is no message", cause: error)
        }
    }

    fileprivate func unreadable(_ why: String, cause: (any Error)? = nil) -> PipelineError {
        .permanent(
            .unreadableOutcome, "the outcome of case \(caseID) can't be rendered: \(why)",
            cause: cause)
    }
}

/// Length-delimited fields ([encoding](https://protobuf.dev/programming-guides/encoding/)).
extension [UInt8] {
    fileprivate mutating func append(fieldTag number: UInt8) { append(number << 3 | 2) }

    fileprivate mutating func append(varint value: Int) {
        var rest = UInt(value)
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }
}

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
        requester = outcome.requester ?? ""
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
