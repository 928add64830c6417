/// What flows over an edge of a chain, so that an edge that can't work is a diagnostic and not a crash.
public struct RecordKind: Sendable, Hashable, CustomStringConvertible {
    public let name: String
    public init(_ name: String) { self.name = name }
    public var description: String { name }

    /// Payloads as they arrived.
    public static let bytes = RecordKind("bytes")
    /// Requests: records with a case id, a digest and canonical parameters.
    public static let requests = RecordKind("requests")
    /// Facts to be stored and counted.
    public static let events = RecordKind("events")
    /// Sealed batches of requests.
    public static let batches = RecordKind("batches of requests")
    /// Outcomes of cases.
    public static let outcomes = RecordKind("outcomes")
}
