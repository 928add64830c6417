public import PipelineCore

/// Renders an outcome as its case's id: what is announced, and what is cached.
public struct FakeEncoder: OutcomeEncoder {
    public init() {}
    public func announcement(_ outcome: Outcome) throws -> OutgoingRecord {
        let id = Array(outcome.caseID.description.utf8)[...]
        return OutgoingRecord(key: id, payload: Array("announced \(outcome.caseID)".utf8)[...])
    }
    public func cached(_ outcome: Outcome) throws -> Bytes {
        Array("cached \(outcome.caseID)".utf8)[...]
    }
    public func recognize(_ bytes: Bytes, of id: UUID) -> CachedAnswer {
        bytes == Array("cached \(id)".utf8)[...] ? .lasting : .foreign
    }
}
