internal import CPostgres
internal import PipelineCore

/// How to reach the server: libpq's keywords and values, credentials included.
///
/// Made of the URL, then of the properties, which win. What neither sets: a connect timeout,
/// keep-alives, `application_name=penstock`, and a bound on statements and on idle transactions.
struct ConnectionSettings: Sendable {
    private(set) var values: [String: String] = [:]
    /// Where the server is, safe to print.
    private(set) var server = ""

    /// - Throws: `fatal` `invalid-address`, which never quotes a value.
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
        if isSplitWrongly { throw Self.invalid("its parts can't be told apart") }
        for (key, value) in address.properties {
            guard known.contains(key) else {
                throw Self.invalid("PostgreSQL has no connection property named \(key)")
            }
            values[key] = value
        }
        for (key, value) in Self.defaults where values[key] == nil { values[key] = value }
        values["client_encoding"] = "UTF8"
        let ours = Self.sessionDefaults.merging(settings) { $1 }
        values["options"] = Self.options(ours, then: values["options"])
        server =
            "\(values["host"] ?? values["hostaddr"] ?? "the local socket")"
            + (values["port"].map { ":\($0)" } ?? "") + (values["dbname"].map { "/\($0)" } ?? "")
    }

    /// Seconds for reaching any of the hosts.
    var connectTimeoutSeconds: Int {
        let hosts = (values["host"] ?? "").split(separator: ",").count
        let seconds = values["connect_timeout"].flatMap { Int($0) } ?? 10
        return (seconds <= 0 ? 3600 : seconds) * max(hosts, 1)
    }

    private static let defaults = [
        "application_name": "penstock", "connect_timeout": "10", "keepalives": "1",
        "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3",
        "tcp_user_timeout": "30000",
    ]

    /// Server settings of a session. A transaction that a stopped process left open must not hold
    /// its locks for ever, and what takes a lock first and then reads relies on READ COMMITTED.
    private static let sessionDefaults = [
        "statement_timeout": "60s", "idle_in_transaction_session_timeout": "60s",
        "default_transaction_isolation": "read committed",
    ]

    /// Ours first: of two, the server takes the later one.
    private static func options(_ settings: [String: String], then others: String?) -> String {
        var parts = settings.sorted { $0.key < $1.key }.map { key, value in
            "-c \(key)="
                + value.replacing("\\", with: "\\\\").replacing(" ", with: "\\ ")
        }
        if let others, !others.isEmpty { parts.append(others) }
        return parts.joined(separator: " ")
    }

    private static func parse(_ url: String) throws -> [(keyword: String, value: String?)] {
        var message: UnsafeMutablePointer<CChar>?
        guard let options = unsafe PQconninfoParse(url, &message) else {
            defer { unsafe PQfreemem(message) }
            throw invalid(
                unsafe redacted(message.map { unsafe String(cString: $0) } ?? "no memory"))
        }
        defer { unsafe PQconninfoFree(options) }
        var found: [(keyword: String, value: String?)] = []
        var option = unsafe options
        while let keyword = unsafe option.pointee.keyword {
            let value = unsafe option.pointee.val.map { unsafe String(cString: $0) }
            found.append((unsafe String(cString: keyword), value))
            unsafe option += 1
        }
        return found
    }

    /// libpq quotes the part that it does not understand, which may be a piece of a password.
    private static func redacted(_ message: String) -> String {
        guard let first = message.firstIndex(of: "\""), let last = message.lastIndex(of: "\"")
        else {
            return message.trimmed
        }
        return "\(message[..<first])***\(message[message.index(after: last)...])".trimmed
    }

    private static func invalid(_ reason: String) -> PipelineError {
        .fatal(
            "invalid-address",
            "the PostgreSQL address is not valid: \(reason)"
                + "; special characters in a password must be percent-encoded")
    }
}

extension String {
    /// Without white space at the end; libpq ends its messages with a line break.
    var trimmed: String {
        var copy = self[...]
        while copy.last?.isWhitespace == true { copy.removeLast() }
        return String(copy)
    }
}
