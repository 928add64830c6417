internal import PipelineCore

/// The generators that `"generator": "grpc://host:port[,host:port…]"` names.
public struct GeneratorAddresses: Sendable, Hashable {
    /// The scheme, which is also the generator's name in catalogues.
    public static let scheme = "grpc"
    /// What to show people.
    public static let form = "grpc://host:port[,host:port…]"
    /// Most addresses of one generator; each has a connection of its own.
    private static let limit = 64

    /// `host:port` or `[IPv6]:port` each; at least one, none twice.
    public let targets: [String]

    /// - Throws: ``PipelineError`` `fatal` `invalid-generator`, saying which part is wrong.
    public init(_ text: String) throws {
        let prefix = Self.scheme + "://"
        guard text.hasPrefix(prefix) else {
            throw Self.refusal("\"\(text)\" names no address")
        }
        var targets: [String] = []
        for part in text.dropFirst(prefix.count).split(
            separator: ",", omittingEmptySubsequences: false)
        {
            if let problem = Self.problem(with: part) { throw Self.refusal(problem) }
            if targets.contains(String(part)) {
                throw Self.refusal("\"\(part)\" is named twice")
            }
            targets.append(String(part))
        }
        if targets.count > Self.limit {
            throw Self.refusal("\(targets.count) addresses are named; \(Self.limit) are allowed")
        }
        self.targets = targets
    }

    /// What is wrong with an address, for `validate`; `nil` if nothing is.
    @Sendable public static func objection(to text: String) -> String? {
        do {
            _ = try GeneratorAddresses(text)
            return nil
        } catch {
            return (error as? PipelineError)?.message ?? "\(error)"
        }
    }

    private static func refusal(_ what: String) -> PipelineError {
        .fatal(.invalidGenerator, "\(what): the form is \(form)")
    }

    private static func problem(with part: Substring) -> String? {
        if part.contains("@") { return "an address has no user and no password" }
        if part.isEmpty { return "an address is empty" }
        guard let colon = part.lastIndex(of: ":") else { return "\"\(part)\" has no port" }
        let host = part[..<colon]
        let port = part[part.index(after: colon)...]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if host.contains(":") && !isBracketed {
            return "\"\(part)\" needs brackets around its IPv6 address"
        }
        let name = isBracketed ? host.dropFirst().dropLast() : host
        guard !name.isEmpty, name.utf8.allSatisfy({ Self.isAllowed($0, inBrackets: isBracketed) })
        else { return "\"\(part)\" has no valid host" }
        guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(port),
            number > 0
        else { return "\"\(part)\" has no port from 1 to 65535" }
        return nil
    }

    private static func isAllowed(_ byte: UInt8, inBrackets: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."):
            true
        case UInt8(ascii: "-"), UInt8(ascii: "_"): !inBrackets
        case UInt8(ascii: ":"), UInt8(ascii: "%"): inBrackets
        default: false
        }
    }
}
