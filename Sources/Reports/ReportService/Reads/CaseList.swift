internal import GRPCTransport
internal import PipelineCore
internal import Protobuf
internal import ReportMessages

/// The pages of ListReports.
///
/// A ledger lists by requester, in order of acceptance; the other conditions are looked at here, on
/// a bounded number of cases a page, so that a call costs the store no more whatever it asks for.
struct CaseList: Sendable {
    private static let largestPage = 1000
    private static let usualPage = 100
    /// Cases that are looked at in one statement, and how many statements a page may take.
    private static let step = 1000
    private static let steps = 10

    let cases: any CaseReader
    let answers: CaseAnswers

    /// - Throws: ``GRPCStatusError`` with all that is wrong in the request; ``PipelineError``
    ///   `retryable` when the ledger can't be reached.
    func page(_ request: ListReportsRequest) async throws -> ListReportsResponse {
        let wanted = try Conditions(request)
        let size =
            request.pageSize == 0
            ? Self.usualPage : min(Int(request.pageSize), Self.largestPage)
        var listing = CaseListing(
            requester: request.requester.isEmpty ? nil : request.requester,
            after: wanted.after, isAscending: wanted.isAscending, limit: Self.step)
        var response = ListReportsResponse()
        for _ in 0..<Self.steps {
            let found = try await cases.list(listing)
            let matching = found.compactMap { item in wanted.request(of: item).map { (item, $0) } }
            let statuses = try await answers.statuses(of: matching.map(\.0.id))
            for (item, asked) in matching {
                guard let (status, revision) = statuses[item.id],
                    wanted.states.isEmpty || wanted.states.contains(status.state)
                else { continue }
                response.reports.append(
                    .with {
                        $0.caseID = item.id.description
                        $0.request = asked
                        $0.status = status
                        $0.revision = Int32(clamping: revision)
                    })
                if response.reports.count == size {
                    let isLast = found.count < Self.step && item.number == found.last?.number
                    response.nextPageToken = isLast ? "" : wanted.token(after: item.number)
                    return response
                }
            }
            guard found.count == Self.step, let last = found.last else { return response }
            listing.after = last.number
        }
        response.nextPageToken = listing.after.map { wanted.token(after: $0) } ?? ""
        return response
    }
}

/// What a page's request asks for, checked.
private struct Conditions {
    let states: Set<ReportState>
    let isAscending: Bool
    let after: Int64?
    private let productID: String
    private let from: Timestamp?
    private let before: Timestamp?
    /// Tells a token of this list from those of others.
    private let name: String

    init(_ request: ListReportsRequest) throws(GRPCStatusError) {
        var violations: [FieldViolation] = []
        func violate(_ field: String, _ description: String) {
            violations.append(FieldViolation(field: field, description: description))
        }
        func time(_ given: Google_Protobuf_Timestamp?, _ field: String) -> Timestamp? {
            guard let given else { return nil }
            guard given.isValid else {
                violate(field, "must be a time of the years 1 to 9999")
                return nil
            }
            return Timestamp(microseconds: given.seconds * 1_000_000 + Int64(given.nanos / 1000))
        }
        states = Set(request.states)
        if states.contains(.unspecified)
            || states.contains(where: { $0.rawValue > ReportState.expired.rawValue })
        {
            violate("states", "has one that there is not")
        }
        if request.requester.utf8.contains(0) {
            violate("requester", "must not contain U+0000")
        }
        if request.pageSize < 0 { violate("page_size", "must not be negative") }
        switch request.orderBy.split(separator: " ") {
        case [], ["accepted_at", "desc"]: isAscending = false
        case ["accepted_at"], ["accepted_at", "asc"]: isAscending = true
        default:
            isAscending = false
            violate("order_by", "must be \"accepted_at\" or \"accepted_at desc\"")
        }
        productID = request.productID
        from = time(request.acceptedFrom, "accepted_from")
        before = time(request.acceptedBefore, "accepted_before")
        let conditions =
            "\(request.requester)\0\(request.productID)\0\(states.map(\.rawValue).sorted())"
            + "\0\(String(describing: from))\0\(String(describing: before))\0\(isAscending)"
        name = Digest(of: Array(conditions.utf8)[...]).hexadecimal
        if request.pageToken.isEmpty {
            after = nil
        } else {
            let parts = request.pageToken.split(separator: ".", maxSplits: 1)
            after = parts.count == 2 && parts[1] == name ? Int64(parts[0]) : nil
            if after == nil {
                violate("page_token", "is not one of this list: begin without one")
            }
        }
        if !violations.isEmpty { throw .badRequest(violations) }
    }

    func token(after number: Int64) -> String { "\(number).\(name)" }

    /// What a case asks for; `nil` for one that is not meant.
    func request(of item: ListedCase) -> ReportRequest? {
        if let from, item.acceptedAt < from { return nil }
        if let before, item.acceptedAt >= before { return nil }
        let request = (try? ReportRequest(serializedBytes: item.parameters)) ?? ReportRequest()
        return productID.isEmpty || request.productID == productID ? request : nil
    }
}
