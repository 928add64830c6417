internal import CPostgres
internal import PipelineCore

/// How to reach the server: libpq's keywords and values, credentials included.
///
/// Made of the URL, then of the properties, which win. What neither sets: a connect timeout,
/// keep-alives, `application_name=penstock`, and, where several hosts are named, that the server
/// takes writes.
struct ConnectionSettings: Sendable {
    /// One of the hosts that the address names.
    struct Target: Sendable {
        var values: [String: String]
        /// Safe to print.
        var server: String
    }

    private(set) var values: [String: String] = [:]
    /// Where the server is, safe to print.
    private(set) var server = ""
    /// What is tried when a connection is made, in this order.
    private(set) var targets: [Target] = []
    /// Server settings of a session: ours, unless the address's own `options` set them.
    private(set) var session: [String: String] = [:]

    /// - Throws: `fatal` `invalid-address`, which never quotes a secret.
    init(_ address: ResourceAddress, settings: [String: String]) throws {
        guard ["postgres", "postgresql"].contains(address.scheme) else {
            throw Self.invalid("the scheme \(address.scheme) is not postgres or postgresql")
        }
        var known: Set<String> = []
        for option in try Self.parse(address.url) {
            known.insert(option.keyword)
            values[option.keyword] = option.value
        }
        // A password with `/` or `@` in it ends up in the wrong places, from where it would be
        // printed.
        let ports = (values["port"] ?? "").utf8
        let isSplitWrongly =
            ["host", "port", "dbname"].contains { values[$0]?.contains("@") == true }
            || !ports.allSatisfy { (48...57).contains($0) || $0 == UInt8(ascii: ",") }
        if isSplitWrongly {
            throw Self.invalid("its parts can't be told apart", hint: Self.encodingHint)
        }
        for (key, value) in address.properties.sorted(by: { $0.key < $1.key }) {
            guard known.contains(key) else {
                throw Self.invalid("PostgreSQL has no connection property named \"\(key)\"")
            }
            values[key] = value
        }
        for (key, value) in Self.defaults where values[key] == nil { values[key] = value }
        values["client_encoding"] = "UTF8"
        let options = try SessionOptions(values["options"])
        session = Self.sessionDefaults.merging(settings) { $1 }
            .filter { !options.names.contains($0.key) }
        targets = try Self.targets(&values)
        server =
            Set(targets.map(\.server)).count == 1
            ? targets[0].server : Self.server(values)
        try check(named: address.properties)
    }

    /// The database on its servers, whoever asks for it and how.
    var database: String {
        Set(
            targets.map { target in
                let host = target.values["host"] ?? target.values["hostaddr"] ?? ""
                return
                    "\(host.lowercased()):\(target.values["port"] ?? "5432")/\(target.values["dbname"] ?? "")"
            }
        ).sorted().joined(separator: ",")
    }

    /// Seconds for reaching one host.
    var connectTimeoutSeconds: Int {
        let seconds = values["connect_timeout"].flatMap { Int($0) } ?? 10
        return seconds <= 0 ? 3600 : seconds
    }

    /// Whether a server that takes no writes is not the one that is wanted.
    var needsWrites: Bool {
        ["read-write", "primary"].contains(values["target_session_attrs"])
    }

    private static let defaults = [
        "application_name": "penstock", "connect_timeout": "10", "keepalives": "1",
        "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3",
        "tcp_user_timeout": "30000",
    ]

    /// A transaction that a stopped process left open must not hold its locks for ever, and what
    /// takes a lock first and then reads relies on READ COMMITTED.
    private static let sessionDefaults = [
        "statement_timeout": "60s", "idle_in_transaction_session_timeout": "60s",
        isolation: "read committed",
    ]
    static let isolation = "default_transaction_isolation"

    /// libpq tries several hosts only where it may block for each; here each is tried by itself.
    private static func targets(_ values: inout [String: String]) throws -> [Target] {
        let hosts = list(values["host"])
        let addresses = list(values["hostaddr"])
        let ports = list(values["port"])
        let count = max(hosts.count, addresses.count, 1)
        guard hosts.isEmpty || addresses.isEmpty || hosts.count == addresses.count else {
            throw invalid("\"host\" and \"hostaddr\" name different numbers of hosts")
        }
        guard ports.count <= 1 || ports.count == count else {
            throw invalid("\"port\" must be one, or as many as there are hosts")
        }
        if count > 1 && values["target_session_attrs"] == nil {
            values["target_session_attrs"] = "read-write"
        }
        var targets = (0..<count).map { index in
            var own = values
            if !hosts.isEmpty { own["host"] = hosts[index] }
            if !addresses.isEmpty { own["hostaddr"] = addresses[index] }
            if !ports.isEmpty { own["port"] = ports[ports.count == 1 ? 0 : index] }
            own["load_balance_hosts"] = nil
            return Target(values: own, server: server(own))
        }
        if values["load_balance_hosts"] == "random" { targets.shuffle() }
        // A standby if there is one, any server else.
        if values["target_session_attrs"] == "prefer-standby" {
            targets = ["standby", "any"].flatMap { wanted in
                targets.map { target in
                    var own = target
                    own.values["target_session_attrs"] = wanted
                    return own
                }
            }
        }
        return targets
    }

    private static func list(_ text: String?) -> [String] {
        guard let text, !text.isEmpty else { return [] }
        return text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    private static func server(_ values: [String: String]) -> String {
        "\(values["host"] ?? values["hostaddr"] ?? "the local socket")"
            + (values["port"].map { ":\($0)" } ?? "") + (values["dbname"].map { "/\($0)" } ?? "")
    }

    static func invalid(_ reason: String, hint: String? = nil) -> PipelineError {
        .fatal(
            .invalidAddress,
            "the PostgreSQL address is not valid: \(reason)" + (hint.map { "; \($0)" } ?? ""))
    }

    static let encodingHint = "special characters in a password must be percent-encoded"
}

extension String {
    /// Without white space at the end; libpq ends its messages with a line break.
    var trimmed: String {
        var copy = self[...]
        while copy.last?.isWhitespace == true { copy.removeLast() }
        return String(copy)
    }
}
