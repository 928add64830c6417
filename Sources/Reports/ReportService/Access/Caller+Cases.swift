internal import GRPCTransport
internal import Identity
internal import PipelineCore
internal import Protobuf
internal import ReportMessages

/// Whose cases a caller asks for, and sees.
extension Caller {
    /// The request with the caller as its requester, unless another one is named.
    ///
    /// - Throws: PERMISSION_DENIED where the role may not name another one.
    func requesting(_ request: ReportRequest) throws(GRPCStatusError) -> ReportRequest {
        var request = request
        request.requester = try requester(named: request.requester ?? "")
        return request
    }

    /// As ``requesting(_:)``; whoever sees all cases lists all unless one is named.
    func listing(_ request: ListReportsRequest) throws(GRPCStatusError) -> ListReportsRequest {
        if role.seesAllCases { return request }
        var request = request
        request.requester = try requester(named: request.requester)
        return request
    }

    private func requester(named name: String) throws(GRPCStatusError) -> String {
        if name.isEmpty { return subject }
        guard name == subject || role.namesRequesters else {
            throw .permissionDenied(
                "the role \(role.rawValue) may name no requester but \"\(subject)\"")
        }
        return name
    }
}

extension CaseAnswers.Answer {
    /// Whether it is of a case that is not there for the caller.
    ///
    /// - Parameter caller: `nil` for one who sees everything.
    func isHidden(from caller: Caller?) -> Bool {
        guard let caller, !caller.role.seesAllCases else { return false }
        switch self {
        case .final(let bytes):
            // Such an answer is looked at for each call.
            var reader = BinaryReader(bytes.span)
            let requester = try? reader.text(ofField: GetReportResponse.requesterNumber)
            return requester != caller.subject
        case .open(_, _, let requester): return requester != caller.subject
        case .unknown: return false
        }
    }

    /// The answer as the caller may see it: somebody else's case is unknown.
    func seen(by caller: Caller?) -> CaseAnswers.Answer { isHidden(from: caller) ? .unknown : self }
}

extension GetReportResponse {
    /// That of `requester`.
    fileprivate static var requesterNumber: Int { 5 }
}
