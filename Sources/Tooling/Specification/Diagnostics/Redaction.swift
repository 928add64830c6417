/// Takes credentials out of text that people will see.
public enum Redaction {
    /// The text with the user information of URLs and the value of `password=` replaced by `***`.
    ///
    /// Hides rather too much than too little: a password may hold any character, unescaped too.
    public static func withoutCredentials(_ text: String) -> String {
        var text = text
        if let scheme = text.firstRange(of: "://"), let at = text.lastIndex(of: "@"),
            at >= scheme.upperBound
        {
            text.replaceSubrange(scheme.upperBound..<at, with: "***")
        }
        for key in ["password=", "passwd=", "secret="] {
            guard let range = text.lowercased().firstRange(of: key) else { continue }
            // Lower-casing may change a text's length, so the place is counted and not shared.
            let offset = text.lowercased().distance(
                from: text.lowercased().startIndex, to: range.upperBound)
            guard
                let start = text.index(
                    text.startIndex, offsetBy: offset, limitedBy: text.endIndex)
            else { continue }
            let end = text[start...].firstIndex { "&; \n".contains($0) } ?? text.endIndex
            text.replaceSubrange(start..<end, with: "***")
        }
        return text
    }

    /// Whether a setting that nobody here knows is a secret by its name: `sasl.password`.
    static func isNameOfSecret(_ name: String) -> Bool {
        let name = name.lowercased()
        return ["password", "passphrase", "secret", "token", "credential", "jaas"]
            .contains { name.firstRange(of: $0) != nil }
    }
}
