internal import PipelineCore
internal import Protobuf
internal import ReportMessages

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
