internal import ConfigurationDiagnostics

/// A named connection that stages refer to. What it can be used for is the protocols it conforms
/// to: ``Bus``, ``Cache``, ``RequestService``, ``WebhookEndpoint``, or a store's own.
public protocol Resource: Sendable {
    /// What its errors are the fault of when it is away; `nil` for what can't be.
    var backend: Backend? { get }
    /// Tries the connection without changing anything.
    /// - Throws: ``PipelineError`` that says what is wrong and what to do.
    func probe() async throws
    /// Looks whether the resource is there and has what is needed. Changes nothing: creates
    /// nothing, writes nothing, moves no position, takes no lock.
    ///
    /// - Parameters:
    ///   - needs: what the pipeline is going to do with it.
    ///   - timeout: how long a server may take to answer.
    /// - Returns: findings about the resource itself (with an empty subject) and about the needs,
    ///   in their order.
    /// - Throws: ``PipelineError`` when the resource can't be used at all: nothing is known about
    ///   the needs then.
    func inspect(for needs: [ResourceNeed], timeout: Duration) async throws -> [ResourceFinding]
    /// Closes the connection once nobody uses it.
    func close() async
}

/// What a resource may be used as; a scheme says which kinds it offers.
public enum ResourceKind: String, Sendable, CaseIterable {
    case bus, store, cache, api, lines, webhook
}

/// A parsed resource URL: `scheme:rest`, credentials kept out of sight.
public struct ResourceAddress: Sendable, Hashable, CustomStringConvertible {
    /// Lower case: `kafka`, `postgres`, `redis`, `embedded`, `memory`, `grpc`.
    public var scheme: String
    /// The whole URL, credentials included: for connectors only.
    public var url: String
    /// Connector properties from the pipeline file, passed through: `security.protocol`, `sslmode`,
    /// …
    public var properties: [String: String]

    /// `nil` without a scheme.
    public init?(url: String, properties: [String: String] = [:]) {
        guard let colon = url.firstIndex(of: ":"), colon != url.startIndex else { return nil }
        self.scheme = url[..<colon].lowercased()
        self.url = url
        self.properties = properties
    }

    /// What follows `scheme:`, without a leading `//`.
    public var rest: String {
        let rest = url[url.index(after: url.firstIndex(of: ":")!)...]
        return String(rest.hasPrefix("//") ? rest.dropFirst(2) : rest)
    }

    /// The URL without its credentials; safe to print.
    public var description: String { Redaction.withoutCredentials(url) }
}

/// A file that a connector's library reads by itself: a certificate, a key.
public struct ResourceFile: Sendable, Hashable {
    /// The property that names it, in the pipeline file or in the URL: `sslrootcert`.
    public var property: String
    /// As it is written there; a relative path counts from the working directory.
    public var path: String

    public init(property: String, path: String) {
        self.property = property
        self.path = path
    }
}

/// The files behind an address, by names that are equal where the files are one, however the
/// addresses are written.
public struct ResourcePlace: Sendable, Hashable {
    /// What lines are read from.
    public var reads: String?
    /// What lines are written to.
    public var writes: String?
    /// Where lines go that were read and refused.
    public var rejects: String?
    /// A file of the resource's own format, which nobody else may write to.
    public var owns: String?
    /// Whether what one reader has read is gone for every other: standard input, a pipe.
    public var isStream: Bool

    public init(
        reads: String? = nil, writes: String? = nil, rejects: String? = nil, owns: String? = nil,
        isStream: Bool = false
    ) {
        self.reads = reads
        self.writes = writes
        self.rejects = rejects
        self.owns = owns
        self.isStream = isStream
    }
}

/// A key-value cache with expiry: Redis, or memory of the process.
///
/// Losing it costs hits, never answers: callers treat every error as a miss.
public protocol Cache: Resource {
    /// The values, in the keys' order; `nil` for a miss. One round trip.
    func get(_ keys: [String]) async throws -> [Bytes?]
    /// Stores the entries, replacing what is there. One round trip.
    /// - Throws: ``PipelineError`` `cache-entry-too-large`, permanent, before anything is stored.
    func set(_ entries: [CacheEntry]) async throws
}

extension Cache {
    /// As ``get(_:)``, of a cache that may be anybody's.
    ///
    /// - Throws: ``PipelineError`` `cache-mismatch`, fatal, when it answers another number of
    ///   values.
    public func values(of keys: [String]) async throws -> [Bytes?] {
        let values = try await get(keys)
        guard values.count == keys.count else {
            throw PipelineError.fatal(
                .cacheMismatch, "the cache answers \(keys.count) keys with \(values.count) values")
        }
        return values
    }
}

public struct CacheEntry: Sendable {
    public var key: String
    public var value: Bytes
    /// How long the entry may be served; less than a millisecond counts as one.
    public var timeToLive: Duration
    public init(key: String, value: Bytes, timeToLive: Duration) {
        self.key = key
        self.value = value
        self.timeToLive = timeToLive
    }
}

/// Lines of a file or of standard input, one record a line.
public protocol LineInput: Resource {
    /// Names the input in origins and positions: `file:/data/requests.jsonl`, `stdin`.
    var name: String { get }
    /// Whether the input can be read again from an offset.
    var isSeekable: Bool { get }
    /// What speaks against reading on at a stored offset; `nil` when the input is the one that was
    /// read up to there. One that is not is forgotten, and what has its name now is read from its
    /// start.
    /// - Parameter witness: what ``witness(at:)`` said, of this offset or another one.
    func objection(to offset: Int64, _ witness: LogWitness?) async throws -> String?
    /// What to know the input by that was read up to `offset`; `nil` where there is nothing yet.
    func witness(at offset: Int64) async throws -> LogWitness?
    /// At the end: whether something else has the input's name by now (a rotated file). It is read
    /// from its start then.
    func isFollowed() async throws -> Bool
    /// Whole lines from a byte offset on, without their ends.
    ///
    /// - Returns: the lines with the offset behind each; an empty array at the end of the input.
    func lines(from offset: Int64, maxBytes: Int) async throws -> [Line]
    /// What speaks against reading the input from a byte offset on, in a sentence without a full
    /// stop that names where lines begin; `nil` when nothing does, or nobody can tell.
    func objection(toReadingFrom offset: Int64) async throws -> String?
    /// Keeps refused lines beside the input, durably.
    func keepRejected(_ lines: [OutgoingRecord]) async throws
}

extension LineInput {
    public func objection(to offset: Int64, _ witness: LogWitness?) async throws -> String? { nil }
    public func witness(at offset: Int64) async throws -> LogWitness? { nil }
    public func objection(toReadingFrom offset: Int64) async throws -> String? { nil }
    public func isFollowed() async throws -> Bool { false }
}

public struct Line: Sendable {
    public var text: Bytes
    /// The byte offset of the next line.
    public var next: Int64
    /// `false` for what stands behind the last line's end: whoever writes it may not be done yet.
    public var isEnded: Bool
    public init(text: Bytes, next: Int64, isEnded: Bool = true) {
        self.text = text
        self.next = next
        self.isEnded = isEnded
    }
}

/// A file or standard output that takes one record a line.
public protocol LineOutput: Resource {
    /// Appends the payloads, a line each, and returns when the system has them (for a file: on
    /// disk).
    func append(_ records: [OutgoingRecord]) async throws
}

/// A store that takes records in a transaction with their positions: events.
public protocol RecordStore: Resource {
    /// What writes records of that kind.
    /// - Throws: ``PipelineError`` when the store has no table for them.
    func sink(for kind: RecordKind, context: StageContext) throws -> any RecordSink
    /// Whether the store has a table for records of that kind.
    func takes(_ kind: RecordKind) -> Bool
}
