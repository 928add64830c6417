internal import ConfigurationDiagnostics

/// A named connection that stages refer to. What it can be used for is the protocols it conforms to:
/// ``Bus``, ``Cache``, ``RequestService``, or a store's own.
public protocol Resource: Sendable {
    /// Tries the connection without changing anything.
    /// - Throws: ``PipelineError`` that says what is wrong and what to do.
    func probe() async throws
    /// Looks whether the resource is there and has what is needed. Changes nothing: creates nothing, writes nothing,
    /// moves no position, takes no lock.
    ///
    /// - Parameters:
    ///   - needs: what the pipeline is going to do with it.
    ///   - timeout: how long a server may take to answer.
    /// - Returns: findings about the resource itself (with an empty subject) and about the needs, in their order.
    /// - Throws: ``PipelineError`` when the resource can't be used at all: nothing is known about the needs then.
    func inspect(for needs: [ResourceNeed], timeout: Duration) async throws -> [ResourceFinding]
    /// Closes the connection once nobody uses it.
    func close() async
}

/// What a resource may be used as; a scheme says which kinds it offers.
public enum ResourceKind: String, Sendable, CaseIterable {
    case bus, store, cache, api, lines
}

/// A parsed resource URL: `scheme:rest`, credentials kept out of sight.
public struct ResourceAddress: Sendable, Hashable, CustomStringConvertible {
    /// Lower case: `kafka`, `postgres`, `redis`, `embedded`, `memory`, `grpc`.
    public var scheme: String
    /// The whole URL, credentials included: for connectors only.
    public var url: String
    /// Connector properties from the pipeline file, passed through: `security.protocol`, `sslmode`, …
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
