internal import Calendar
public import PipelineCore
internal import Protobuf
internal import ReportMessages

/// The codec `report-request`: reads `conversionreports.v1.ReportRequest`.
///
/// Payloads are ProtoJSON (either spelling of names; a field that the message does not have is
/// refused by name) or, with the header `content-type: application/x-protobuf`, binary (unknown
/// fields are skipped, as that format demands), of at most 64 KiB. Both give the same body: the
/// canonical binary form.
///
/// | field | rule |
/// |---|---|
/// | `case_id` | a UUID |
/// | `product_id` | 1 to 200 bytes of UTF-8, no U+0000 |
/// | `checkout_id` | if set, likewise |
/// | `period` | both ends, 1970 to 9999, to the microsecond; start before end; at most the span |
/// | `requester` | at most 200 bytes |
/// | `deadline` | 1970 to 9999; not before the record's own timestamp (`deadline-passed`) |
///
/// `digest` identifies what is asked for: product, checkout and period. Who asks and until when is
/// no part of it, so that a repeat with another deadline is a repeat; the first one's deadline
/// stands.
///
/// Whether a deadline has passed is decided by when the record was sent, not by when it is read:
/// one that waited while nobody read it is taken in, and late.
public struct ReportRequestDecoder: RecordDecoder {
    /// The name of the codec in pipeline files.
    public static let name = "report-request"

    private let maximumSpan: Int64

    /// - Parameter maximumSpan: the longest period that may be asked for; ten years by default.
    public init(maximumSpan: Duration = .hours(24 * 3660)) {
        self.maximumSpan = maximumSpan.wholeMicroseconds
    }

    public var rejectionCodes: [ErrorCode] { Refusal.codes + [.deadlinePassed] }

    public func decode(_ records: inout [Record], stage: String, now: Timestamp) -> [Rejection] {
        var scratch: [UInt8] = []
        return records.decodeAll(stage: stage) { (record, bodies) throws(Refusal) in
            var request = try ReportRequest.read(from: record)
            let checked = try request.checked(maximumSpan: maximumSpan)
            if let wanted = checked.deadline, wanted < record.timestamp { throw .deadlinePassed }
            request.canonicalize(checked)
            request.write(to: &bodies)
            record.id = checked.caseID
            record.deadline = checked.deadline
            record.requester = request.requester.flatMap { $0.isStorableName ? $0 : nil }
            record.digest = request.digestOfParameters(&scratch)
        }
    }
}

extension ReportRequest {
    /// Brings what may be spelt in several ways into one form.
    fileprivate mutating func canonicalize(_ checked: CheckedRequest) {
        if caseID.utf8.contains(where: { $0 < 0x61 && $0 > 0x40 }) {
            caseID = checked.caseID.description
        }
        if let wanted = checked.deadline { deadline = Google_Protobuf_Timestamp(wanted) }
    }

    /// The digest of the request's canonical form without case, requester and deadline.
    fileprivate func digestOfParameters(_ scratch: inout [UInt8]) -> Digest {
        var parameters = ReportRequest()
        parameters.productID = productID
        parameters.checkoutID = checkoutID
        parameters.period = period
        scratch.removeAll(keepingCapacity: true)
        parameters.write(to: &scratch)
        return Digest(of: scratch[...])
    }
}

extension String {
    /// Whether a case can be listed by it: stores can't hold U+0000. A request that names such a
    /// requester is as good as another, and nobody's.
    fileprivate var isStorableName: Bool { !isEmpty && !utf8.contains(0) }
}

/// A report request that satisfies the rules.
struct CheckedRequest {
    var caseID: UUID
    var query: ConversionQuery
    var deadline: Timestamp?
}

extension ReportRequest {
    /// Checks all fields; says all that is wrong at once.
    ///
    /// - Parameter maximumSpan: the longest period, in microseconds.
    func checked(maximumSpan: Int64) throws(Refusal) -> CheckedRequest {
        var rules = FieldRules()
        let id = rules.uuid(caseID, "case_id")
        rules.identifier(productID, "product_id")
        if let checkoutID { rules.identifier(checkoutID, "checkout_id", ifSet: true) }
        let start = rules.time(period?.startTime, "period.start_time", isExact: true)
        let end = rules.time(period?.endTime, "period.end_time", isExact: true)
        if let start, let end {
            if start >= end {
                rules.violate("period.end_time", "must be later than period.start_time")
            } else if end.microseconds - start.microseconds > maximumSpan {
                rules.violate(
                    "period.end_time",
                    "must be at most \(maximumSpan / Timestamp.day) days after period.start_time")
            }
        }
        if let requester, requester.utf8.count > FieldRules.identifierLimit {
            rules.violate(
                "requester",
                "has \(requester.utf8.count) bytes of UTF-8; "
                    + "\(FieldRules.identifierLimit) are allowed")
        }
        let wanted = deadline.flatMap { rules.time($0, "deadline") }
        guard rules.violations.isEmpty, let id, let start, let end else {
            throw .invalid(rules.violations)
        }
        return CheckedRequest(
            caseID: id,
            query: ConversionQuery(
                productID: productID, checkoutID: checkoutID, start: start, end: end),
            deadline: wanted)
    }
}
