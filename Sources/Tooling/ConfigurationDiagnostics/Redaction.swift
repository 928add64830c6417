/// Takes credentials out of text that people will see.
public enum Redaction {
    /// An address, or a text of parameters, with what is secret in it replaced by `***`: the user
    /// information of a URL, and the value of a parameter whose name says so.
    ///
    /// Hides rather too much than too little: a password may hold any character, unescaped too. For
    /// a sentence about an address there is ``withoutSecrets(of:and:in:)``.
    public static func withoutCredentials(_ text: String) -> String {
        var text = text
        for range in userInformation(of: text).map({ [$0] }) ?? misplacedPassword(of: text) {
            text.replaceSubrange(range, with: "***")
        }
        for range in secretValues(of: text).reversed() {
            text.replaceSubrange(range, with: "***")
        }
        return text
    }

    /// A sentence, with the secrets of these addresses struck out of it and all else left as it is.
    ///
    /// - Parameters:
    ///   - address: what the sentence speaks of.
    ///   - values: what is secret as a whole.
    public static func withoutSecrets(
        of address: String, and values: [String] = [], in sentence: String
    ) -> String {
        var secrets = Set(values)
        if let range = userInformation(of: address) {
            let user = address[range]
            secrets.insert(String(user))
            if let colon = user.firstIndex(of: ":") {
                secrets.insert(String(user[user.index(after: colon)...]))
            }
        }
        for range in secretValues(of: address) { secrets.insert(String(address[range])) }
        secrets.formUnion(secrets.map(percentDecoded))
        // A secret of a letter or two would take every such letter along, and tell itself.
        return secrets.filter { $0.count > 2 }.sorted { $0.count > $1.count }
            .reduce(sentence) { $0.replacing($1, with: "***") }
    }

    /// Whether a setting that nobody here knows is a secret by its name: `sasl.password`.
    public static func isNameOfSecret(_ name: String) -> Bool {
        let name = name.lowercased()
        return ["password", "passwd", "passphrase", "secret", "token", "credential", "jaas"]
            .contains { name.firstRange(of: $0) != nil }
    }

    /// What stands before the last `@`; where the slashes were forgotten, if it has a colon as only a password needs.
    private static func userInformation(of text: String) -> Range<String.Index>? {
        guard let scheme = text.firstRange(of: "://") ?? text.firstRange(of: ":"),
            let at = text.lastIndex(of: "@"), at >= scheme.upperBound
        else { return nil }
        let user = scheme.upperBound..<at
        let isPath = text[scheme] == ":" && (text[user].contains("/") || !text[user].contains(":"))
        return isPath ? nil : user
    }

    /// Where a port should be and is none, without a user: a host may have been forgotten.
    private static func misplacedPassword(of text: String) -> [Range<String.Index>] {
        guard let scheme = text.firstRange(of: "://") else { return [] }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { !"/?,".contains($0) }
        guard !authority.hasPrefix("["), let colon = authority.firstIndex(of: ":") else {
            return []
        }
        let port = authority[authority.index(after: colon)...]
        return port.allSatisfy { $0.isASCII && $0.isNumber }
            ? [] : [port.startIndex..<port.endIndex]
    }

    /// The values behind `password=` and the like, in the order of the text.
    private static func secretValues(of text: String) -> [Range<String.Index>] {
        let isURL = text.firstRange(of: "://") != nil
        var found: [Range<String.Index>] = []
        var rest = text[...]
        while let equals = rest.firstIndex(of: "=") {
            let name = rest[..<equals].reversed().drop { $0 == " " }
                .prefix { $0.isLetter || $0.isNumber || "_.%-".contains($0) }
            var value = text[text.index(after: equals)...]
            rest = value
            guard isNameOfSecret(percentDecoded(String(name.reversed()))) else { continue }
            if isURL {
                value = value.prefix { $0 != "&" }
            } else {
                value = value.drop { $0 == " " }
                value = value.first == "'" ? quoted(value) : value.prefix { !" ;&\n".contains($0) }
            }
            found.append(value.startIndex..<value.endIndex)
            rest = text[value.endIndex...]
        }
        return found
    }

    /// A value in quotes, in which a backslash takes the next character as it is.
    private static func quoted(_ text: Substring) -> Substring {
        var isEscaped = false
        for index in text.indices.dropFirst() {
            if !isEscaped && text[index] == "'" { return text[...index] }
            isEscaped = !isEscaped && text[index] == "\\"
        }
        return text
    }

    private static func percentDecoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(Substring(rest.prefix(2)), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
