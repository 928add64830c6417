internal import ConfigurationFields
internal import PipelineCore

/// Where a Redis server is, who logs in, and how long anything may take.
struct RedisConfiguration: Sendable {
    var host: String
    var port: UInt16 = 6379
    /// Empty for Redis' default user.
    var user = ""
    /// Empty to not log in.
    var password = ""
    var database = 0
    /// What a connection is encrypted with; `nil` for one in clear text.
    var tls: RedisTLS?
    /// How many connections are opened at most; one is enough until a core is busy with replies.
    var connections = 2
    /// For connecting, and again for logging in.
    var connectTimeout = Duration.seconds(1)
    /// For a round trip, whatever it carries.
    var commandTimeout = Duration.seconds(1)
    /// A value that is longer is refused.
    var maxValueBytes = 8 << 20

    /// Most commands in a round trip, a single call's own excepted.
    var maxBatchCommands = 1024
    /// Most bytes in a round trip, a single call's own excepted.
    static let maxBatchBytes = 1 << 20
    /// Most commands that wait for their round trip; more are refused at once.
    static let maxWaitingCommands = 1 << 17

    init(host: String) { self.host = host }

    /// How messages name the server: never with the user or the password.
    var name: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension RedisConfiguration {
    /// Reads `redis://[[user]:password@]host[:port][/database]`, user and password percent-encoded
    /// ([scheme](https://www.iana.org/assignments/uri-schemes/prov/redis)), or `rediss://` for TLS
    /// ([scheme](https://www.iana.org/assignments/uri-schemes/prov/rediss)), and the properties
    /// `connections`, `connect_timeout`, `command_timeout`, `max_value`, `tls_ca_cert_file`,
    /// `tls_cert_file`, `tls_key_file` and `tls_server_name`. Those of TLS are passed over where
    /// the URL is one without it.
    ///
    /// - Throws: ``PipelineError`` `invalid-resource`; its message shows no user information.
    init(address: ResourceAddress) throws(PipelineError) {
        func invalid(_ reason: String) -> PipelineError {
            .fatal(.invalidResource, "\(address): \(reason)")
        }
        guard ["redis", "rediss"].contains(address.scheme) else {
            throw invalid("is not a redis:// address")
        }

        var rest = Substring(address.rest)
        var credentials: Substring?
        if let at = rest.lastIndex(of: "@") {
            credentials = rest[..<at]
            rest = rest[rest.index(after: at)...]
        }
        var database: Substring = ""
        if let slash = rest.firstIndex(of: "/") {
            database = rest[rest.index(after: slash)...]
            rest = rest[..<slash]
        }
        guard let (host, port) = Self.hostAndPort(rest), !host.isEmpty else {
            throw invalid("needs a host; write redis://host:6379/0")
        }
        self.init(host: host)
        if let port {
            guard let number = UInt16(port), number > 0 else {
                let isNumber = port.allSatisfy { $0.isASCII && $0.isNumber }
                throw invalid(
                    "\(isNumber ? "\"\(port)\"" : "what follows the host") is not a port")
            }
            self.port = number
        }
        if !database.isEmpty {
            guard let number = Int(database), number >= 0 else {
                throw invalid("\"\(database)\" is not the number of a database")
            }
            self.database = number
        }
        if let credentials { try readCredentials(credentials, invalid) }
        tls = RedisTLS()
        for (name, value) in address.properties.sorted(by: { $0.key < $1.key }) {
            try readProperty(name, value, invalid)
        }
        if (tls?.certificateFile == nil) != (tls?.keyFile == nil) {
            throw invalid("tls_cert_file and tls_key_file belong together: name both or none")
        }
        if address.scheme == "redis" { tls = nil }
    }

    private static func hostAndPort(_ text: Substring) -> (host: String, port: Substring?)? {
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let host = String(text[text.index(after: text.startIndex)..<end])
            let rest = text[text.index(after: end)...]
            if rest.isEmpty { return (host, nil) }
            return rest.first == ":" ? (host, rest.dropFirst()) : nil
        }
        guard let colon = text.firstIndex(of: ":") else { return (String(text), nil) }
        return (String(text[..<colon]), text[text.index(after: colon)...])
    }

    private mutating func readCredentials(
        _ text: Substring, _ invalid: (String) -> PipelineError
    ) throws(PipelineError) {
        guard let colon = text.firstIndex(of: ":") else {
            throw invalid("a user needs a password; write redis://user:password@host")
        }
        guard let user = Self.percentDecoded(text[..<colon]),
            let password = Self.percentDecoded(text[text.index(after: colon)...])
        else { throw invalid("the user information is not percent-encoded") }
        if password.isEmpty { throw invalid("the password is empty") }
        self.user = user
        self.password = password
    }

    private mutating func readProperty(
        _ name: String, _ value: String, _ invalid: (String) -> PipelineError
    ) throws(PipelineError) {
        do throws(Refusal) {
            switch name {
            case "connections":
                guard let count = Int(value), (1...16).contains(count) else {
                    throw Refusal(.outOfRange, "is not a number from 1 to 16")
                }
                connections = count
            case "connect_timeout": connectTimeout = try Self.timeout(value)
            case "command_timeout": commandTimeout = try Self.timeout(value)
            case "max_value":
                let size = try ByteCount(parsing: value)
                guard (1...(512 << 20)).contains(size.bytes) else {
                    throw Refusal(.outOfRange, "is not from 1B to 512MiB")
                }
                maxValueBytes = size.bytes
            case "tls_ca_cert_file": tls?.authorityFile = try Self.text(value)
            case "tls_cert_file": tls?.certificateFile = try Self.text(value)
            case "tls_key_file": tls?.keyFile = try Self.text(value)
            case "tls_server_name": tls?.serverName = try Self.text(value)
            default:
                throw Refusal(
                    .unknownKey, "is not a property of Redis",
                    hint: "there are connections, connect_timeout, command_timeout, max_value,"
                        + " tls_ca_cert_file, tls_cert_file, tls_key_file and tls_server_name")
            }
        } catch {
            let subject = error.code == .unknownKey ? "\"\(name)\"" : "\(name): \"\(value)\""
            throw invalid(
                "\(subject) \(error.message)" + (error.hint.map { "; \($0)" } ?? ""))
        }
    }

    private static func text(_ value: String) throws(Refusal) -> String {
        if value.isEmpty { throw Refusal(.invalidValue, "is empty") }
        return value
    }

    private static func timeout(_ text: String) throws(Refusal) -> Duration {
        let duration = try Duration(parsing: text)
        guard duration >= .milliseconds(1), duration <= .minutes(1) else {
            throw Refusal(.outOfRange, "is not from 1ms to 1m")
        }
        return duration
    }

    private static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(Substring(rest.prefix(2)), radix: 16) else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
