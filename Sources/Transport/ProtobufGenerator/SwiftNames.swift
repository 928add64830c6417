/// How names of proto files are spelt in Swift.
enum SwiftNames {
    /// `case_id` gives `caseID`; `upper` gives `CaseID`. Acronyms are those of swift-protobuf.
    private static func camel(_ name: String, upper: Bool) -> String {
        var result = ""
        for (index, word) in words(name).enumerated() {
            let isAcronym = ["id", "url", "http", "https"].contains(word.lowercased())
            if index == 0, !upper {
                result += isAcronym ? word.lowercased() : lowercasedFirst(word)
            } else if isAcronym {
                result += word.uppercased()
            } else {
                result += word.prefix(1).uppercased() + word.dropFirst()
            }
        }
        return result
    }

    private static func words(_ name: String) -> [String] {
        name.split(separator: "_").map(String.init)
    }

    private static func lowercasedFirst(_ word: String) -> String {
        word.prefix(1).lowercased() + word.dropFirst()
    }

    /// The name of a property, or of a case that holds a field.
    static func member(_ name: String) -> String { escaped(camel(name, upper: false)) }

    /// The name of a oneof's type.
    static func oneof(_ name: String) -> String { "OneOf_" + camel(name, upper: true) }

    /// The name of an enum's case: without the enum's name in front, if all values have it.
    static func enumCase(_ value: String, of name: String) -> String {
        let prefix = snake(name) + "_"
        var rest = value
        if value.uppercased().hasPrefix(prefix) {
            rest = String(value.dropFirst(prefix.count))
            if rest.first?.isNumber == true { rest = "_" + rest }
        }
        if rest.uppercased() == rest { rest = rest.lowercased() }
        let camel = camel(rest, upper: false)
        return escaped(rest.hasPrefix("_") ? "_" + camel : camel)
    }

    /// `ReportState` gives `REPORT_STATE`.
    private static func snake(_ name: String) -> String {
        var result = ""
        for (index, character) in name.enumerated() {
            if character.isUppercase, index > 0 { result += "_" }
            result += character.uppercased()
        }
        return result
    }

    /// What `A_B_V1_` is to `a.b.v1`, unless the options say otherwise.
    static func prefix(ofPackage package: String) -> String {
        package.split(separator: ".").map { camel(String($0), upper: true) + "_" }.joined()
    }

    private static func escaped(_ name: String) -> String {
        if taken.contains(name) { return name + "_" }
        return keywords.contains(name) ? "`\(name)`" : name
    }

    /// Names that backticks do not help, and members of the runtime's protocols.
    private static let taken: Set<String> = [
        "self", "init", "Type", "Protocol", "rawValue", "unrecognized", "protoName", "numbers",
        "isJSONNull", "hash", "hashValue", "encode", "decode", "merge", "encodeJSON", "mergeJSON",
    ]
    private static let keywords: Set<String> = [
        "Self", "any", "as", "associatedtype", "break", "case", "catch", "class", "continue",
        "default", "defer", "deinit", "do", "else", "enum", "extension", "fallthrough", "false",
        "fileprivate", "for", "func", "guard", "if", "import", "in", "inout", "internal", "is",
        "let", "nil", "operator", "precedencegroup", "private", "protocol", "public", "repeat",
        "rethrows", "return", "static", "struct", "subscript", "super", "switch", "throw", "throws",
        "true", "try", "typealias", "var", "where", "while",
    ]
}
