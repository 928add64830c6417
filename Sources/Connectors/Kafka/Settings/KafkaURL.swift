internal import PipelineCore

/// The parts of `kafka://[user:password@]host[:port][,host[:port]…]`.
struct KafkaURL {
    /// As librdkafka wants them: `host:port,host:port`.
    let brokers: String
    let credentials: (user: String, password: String)?

    /// - Throws: ``PipelineCore/PipelineError`` `invalid-url` (fatal), without the credentials.
    init(_ address: ResourceAddress) throws(PipelineError) {
        var rest = Substring(address.rest)
        func invalid(_ problem: String) -> PipelineError {
            .fatal(
                .invalidURL,
                "\(address): \(problem); "
                    + "Kafka's URL is kafka://[user:password@]host:port[,host:port…]"
            )
        }
        if let at = rest.lastIndex(of: "@") {
            let user = rest[..<at].split(
                separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard user.count == 2, let name = percentDecoded(user[0]),
                let password = percentDecoded(user[1]), !name.isEmpty
            else { throw invalid("the part before @ is not user:password") }
            credentials = (name, password)
            rest = rest[rest.index(after: at)...]
        } else {
            credentials = nil
        }
        if rest.hasSuffix("/") { rest.removeLast() }
        if rest.contains("?") || rest.contains("/") {
            throw invalid(
                "a path or query has no meaning here, properties belong into \"properties\"")
        }
        let hosts = rest.split(separator: ",", omittingEmptySubsequences: false)
        for host in hosts {
            guard Self.isHost(host) else {
                throw invalid("\"\(Self.shown(host))\" is not host:port with a port up to 65535")
            }
        }
        brokers = String(rest)
    }

    /// What is no number is no port, and may be anything.
    private static func shown(_ host: Substring) -> String {
        guard let colon = host.lastIndex(of: ":") else { return String(host) }
        let port = host[host.index(after: colon)...]
        return port.allSatisfy { $0.isASCII && $0.isNumber }
            ? String(host) : "\(host[..<colon]):***"
    }

    private static func isHost(_ text: Substring) -> Bool {
        var port: Substring?
        let name: Substring
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            name = text[...end]
            let after = text[text.index(after: end)...]
            if !after.isEmpty {
                guard after.hasPrefix(":") else { return false }
                port = after.dropFirst()
            }
        } else if let colon = text.firstIndex(of: ":") {
            name = text[..<colon]
            port = text[text.index(after: colon)...]
        } else {
            name = text
        }
        guard !name.isEmpty, !name.contains(where: \.isWhitespace) else { return false }
        guard let port else { return true }
        return (1...65535).contains(Int(port) ?? 0)
    }
}

/// - Returns: `nil` for a `%` that two hexadecimal digits do not follow, or bytes that are not
///   UTF-8.
private func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        guard rest.count >= 2, let value = UInt8(String(rest.prefix(2))!, radix: 16) else {
            return nil
        }
        bytes.append(value)
        rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
}
