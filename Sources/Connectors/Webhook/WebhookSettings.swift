internal import ConfigurationFields
internal import PipelineCore

/// Whom a webhook calls, what signs the calls, and how long and how many at a time they may be.
struct WebhookSettings: Sendable {
    /// What the items of these properties are called is what they are called themselves.
    private static let lists: Set = ["secrets", "allow_hosts"]
    private static let mostSecrets = 4

    let url: WebhookURL
    /// Each gives a signature: while one follows another, the receiver may know either.
    private(set) var secrets: [WebhookSecret] = []
    /// Names of hosts that may be anywhere, in private networks too, and may do without encryption.
    private(set) var allowedHosts: Set<String> = []
    /// A file of authorities in PEM; the system's where there is none.
    private(set) var authorityFile: String?
    /// For a call as a whole.
    private(set) var timeout = Duration.seconds(10)
    /// For resolving the name, connecting and shaking hands.
    private(set) var connectTimeout = Duration.seconds(5)
    /// Most calls at a time.
    private(set) var inFlight = 8

    /// Whether the host may have any address.
    var isAllowedAnywhere: Bool { allowedHosts.contains(url.host) }

    /// What the receiver is missed as when it is away.
    var backend: Backend { Backend(.webhook, "webhook \(url.origin)") }

    /// The files by the properties that name them.
    var files: [ResourceFile] {
        authorityFile.map { [ResourceFile(property: "ca", path: $0)] } ?? []
    }

    /// Reads an `https://` address, and the properties `secrets`, `allow_hosts`, `ca`, `timeout`,
    /// `connect_timeout` and `in_flight`.
    ///
    /// - Throws: ``PipelineError`` `invalid-resource`; its message shows no secret.
    init(address: ResourceAddress) throws(PipelineError) {
        func invalid(_ reason: String) -> PipelineError {
            .fatal(.invalidResource, "\(address): \(reason)")
        }
        do throws(Refusal) { url = try WebhookURL(address.url) } catch {
            throw invalid(error.message)
        }
        for (name, value) in address.properties.sorted(by: { $0.key < $1.key }) {
            do throws(Refusal) { try readProperty(name, value) } catch {
                throw invalid(
                    "\"\(name)\" \(error.message)" + (error.hint.map { "; \($0)" } ?? ""))
            }
        }
        guard (1...Self.mostSecrets).contains(secrets.count) else {
            throw invalid(
                "\"secrets\" has \(secrets.count) secrets; calls are signed with 1 to"
                    + " \(Self.mostSecrets), for example [{ \"$file\": \"/run/secrets/webhook\" }]")
        }
        if isAllowedAnywhere { return }
        if !url.isEncrypted {
            throw invalid(
                "http:// is for hosts that \"allow_hosts\" names; write https://, or name"
                    + " \(url.host) there")
        }
        if let literal = IPAddress(url.host), !literal.isPublic {
            throw invalid(
                "\(literal) is an address of this machine, of a private network, or nobody's; name"
                    + " it in \"allow_hosts\" if it is meant")
        }
    }

    private mutating func readProperty(_ name: String, _ value: String) throws(Refusal) {
        let base = String(name.prefix { $0 != "[" })
        if Self.lists.contains(base), name.hasSuffix("[]") { return }
        switch name == base || Self.lists.contains(base) ? base : name {
        case "secrets":
            // Never shown, whatever it is.
            guard let secret = WebhookSecret(value) else {
                throw Refusal(
                    .invalidValue, "is not a secret", hint: "a secret is \(WebhookSecret.form)")
            }
            if secrets.contains(secret) {
                throw Refusal(.invalidValue, "is another one's repeat")
            }
            secrets.append(secret)
        case "allow_hosts": allowedHosts.insert(try Self.host(value))
        case "ca":
            if value.isEmpty { throw Refusal(.invalidValue, "is empty") }
            authorityFile = value
        case "timeout": timeout = try Self.duration(value)
        case "connect_timeout": connectTimeout = try Self.duration(value)
        case "in_flight":
            guard let count = Int(value), (1...64).contains(count) else {
                throw Refusal(.outOfRange, "is not a number from 1 to 64")
            }
            inFlight = count
        default:
            throw Refusal(
                .unknownKey, "is not a property of a webhook",
                hint: "there are secrets, allow_hosts, ca, timeout, connect_timeout and in_flight")
        }
    }

    private static func host(_ value: String) throws(Refusal) -> String {
        let host = value.lowercased()
        let isName =
            !host.isEmpty
            && host.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
        guard isName || IPAddress(host) != nil else {
            throw Refusal(
                .invalidValue, "is not the name of a host",
                hint: "a name alone, as the URL has it: without scheme, port or path")
        }
        return host
    }

    private static func duration(_ text: String) throws(Refusal) -> Duration {
        let duration: Duration
        do throws(Refusal) { duration = try Duration(parsing: text) } catch {
            throw Refusal(error.code, "is no duration", hint: error.hint)
        }
        guard duration >= .milliseconds(100), duration <= .minutes(1) else {
            throw Refusal(.outOfRange, "is not from 100ms to 1m")
        }
        return duration
    }
}
