/// Which cases a list shows, and from where on.
public struct CaseListing: Sendable, Hashable {
    /// Whose; `nil` for everybody's.
    public var requester: String?
    /// The list goes on behind the case of that number; `nil` for its beginning.
    public var after: Int64?
    /// The first accepted come first; else the last.
    public var isAscending: Bool
    /// At most so many are answered. Fewer: there are no more.
    public var limit: Int
    public init(
        requester: String? = nil, after: Int64? = nil, isAscending: Bool = false, limit: Int
    ) {
        self.requester = requester
        self.after = after
        self.isAscending = isAscending
        self.limit = limit
    }
}

/// A case in a list: its newest attempt.
public struct ListedCase: Sendable, Hashable {
    /// The ledger's own number; ascending in order of acceptance.
    public var number: Int64
    public var id: UUID
    public var acceptedAt: Timestamp
    /// The request's canonical encoding.
    public var parameters: Bytes
    public init(number: Int64, id: UUID, acceptedAt: Timestamp, parameters: Bytes) {
        self.number = number
        self.id = id
        self.acceptedAt = acceptedAt
        self.parameters = parameters
    }
}
