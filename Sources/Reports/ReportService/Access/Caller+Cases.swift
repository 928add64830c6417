internal import GRPCTransport
internal import Identity
internal import PipelineCore
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
            return bytes.text(ofField: GetReportResponse.requesterNumber) != caller.subject
        case .open(_, _, let requester): return requester != caller.subject
        case .unknown: return false
        }
    }

    /// The answer as the caller may see it: somebody else's case is unknown.
    func seen(by caller: Caller?) -> CaseAnswers.Answer { isHidden(from: caller) ? .unknown : self }
}

extension GetReportResponse {
    /// That of `requester`.
    fileprivate static var requesterNumber: UInt64 { 5 }
}

extension Bytes {
    /// The text of a message's field, found without reading the others: an answer from memory is
    /// looked at for each call. `nil` where there is none, or the message is damaged.
    fileprivate func text(ofField wanted: UInt64) -> String? {
        var found: String?
        var rest = self
        while !rest.isEmpty {
            guard let tag = rest.takeVarint() else { return nil }
            switch tag & 7 {
            case 0: guard rest.takeVarint() != nil else { return nil }
            case 1: rest = rest.dropFirst(8)
            case 5: rest = rest.dropFirst(4)
            case 2:
                guard let length = rest.takeVarint(), length <= UInt64(rest.count) else {
                    return nil
                }
                if tag >> 3 == wanted {
                    found = String(decoding: rest.prefix(Int(length)), as: UTF8.self)
                }
                rest = rest.dropFirst(Int(length))
            default: return nil
            }
        }
        return found
    }

    private mutating func takeVarint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 64, by: 7) {
            guard let byte = popFirst() else { return nil }
            value |= UInt64(byte & 0x7F) << UInt64(shift)
            if byte < 0x80 { return value }
        }
        return nil
    }
}
