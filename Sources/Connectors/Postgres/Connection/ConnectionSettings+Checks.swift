internal import CPostgres
internal import Glibc
internal import PipelineCore

extension ConnectionSettings {
    /// Asks libpq what it has against the values, and looks at those that it reads only once it has
    /// a socket. Reaches nothing.
    ///
    /// - Parameter properties: those of the pipeline file, to be named as they stand there.
    func check(named properties: [String: String]) throws {
        for (name, range) in Self.numbers {
            guard let text = values[name] else { continue }
            guard let number = Int(text), range.contains(number) else {
                throw Self.invalid("\"\(name)\" must be a number from \(range.words)")
            }
        }
        if let timeout = session["statement_timeout"], !Self.isDuration(timeout) {
            throw Self.invalid(
                "\"statement_timeout\" must be a duration of PostgreSQL's, such as 30s or 2min")
        }
        for name in ["replication"] where values[name]?.isEmpty == false {
            throw Self.invalid("\"\(name)\" can't be set")
        }
        for target in targets {
            guard let reason = Self.objection(to: target.values) else { continue }
            let property = properties.keys.sorted().first { reason.contains("\($0) value") }
            throw Self.invalid(property.map { "\"\($0)\": \(reason)" } ?? reason)
        }
    }

    /// What libpq passes over, or finds missing only once it has reached a server.
    static func files(of address: ResourceAddress) -> [ResourceFile] {
        var values = address.properties
        for option in (try? parse(address.url)) ?? [] where values[option.keyword] == nil {
            values[option.keyword] = option.value
        }
        if values["sslmode"] == "disable" { return [] }
        return ["sslrootcert", "sslcert", "sslkey", "sslcrl"].compactMap { property in
            guard let path = values[property], !path.isEmpty else { return nil }
            // The system's authorities, and a key that an engine of OpenSSL's keeps.
            if property == "sslrootcert" && path == "system" && PQlibVersion() >= 160_000 {
                return nil
            }
            if property == "sslkey" && path.contains(":") { return nil }
            return ResourceFile(property: property, path: path)
        }
    }

    private static let numbers: [(String, ClosedRange<Int>)] = [
        ("connect_timeout", 0...86_400), ("keepalives", 0...1), ("keepalives_idle", 0...86_400),
        ("keepalives_interval", 0...86_400), ("keepalives_count", 0...1000),
        ("tcp_user_timeout", 0...86_400_000),
    ]

    /// `60000`, `30s`, `1.5min`: a number, and one of the server's units.
    private static func isDuration(_ text: String) -> Bool {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text.dropFirst(number.count).drop { $0 == " " }
        return Double(number) != nil && ["", "us", "ms", "s", "min", "h", "d"].contains(unit)
    }

    /// libpq checks its values before it opens a socket, and opens none whose path is longer than
    /// any can be.
    private static func objection(to values: [String: String]) -> String? {
        let nowhere = "/" + String(repeating: "nowhere", count: 32)
        var values = values
        values["host"] = nowhere
        // What libpq would look for in files.
        for name in ["hostaddr", "service", "passfile"] { values[name] = nil }
        values["password"] = "-"
        let handle = unsafe withParameters(values) { unsafe PQconnectStartParams($0, $1, 0) }
        guard let handle = unsafe handle else { return nil }
        defer { unsafe PQfinish(handle) }
        guard unsafe PQstatus(handle) == CONNECTION_BAD else { return nil }
        let text = unsafe String(cString: PQerrorMessage(handle)).trimmed
        return text.contains(nowhere) ? nil : text
    }

    /// Lends keywords and values as libpq takes them.
    static func withParameters<T>(
        _ values: [String: String],
        _ body: (
            UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>
        ) -> T
    ) -> T {
        let pairs = values.sorted { $0.key < $1.key }
        let strings: [UnsafeMutablePointer<CChar>?] = unsafe pairs.flatMap { key, value in
            unsafe [strdup(key), strdup(value)]
        }
        defer { for index in unsafe strings.indices { unsafe free(strings[index]) } }
        let keywords =
            unsafe (0..<pairs.count).map { unsafe UnsafePointer(strings[2 * $0]) } + [nil]
        let values =
            unsafe (0..<pairs.count).map { unsafe UnsafePointer(strings[2 * $0 + 1]) } + [nil]
        return unsafe body(keywords, values)
    }

    /// Splits the URL by libpq's own rules.
    static func parse(_ url: String) throws -> [(keyword: String, value: String?)] {
        var message: UnsafeMutablePointer<CChar>?
        guard let options = unsafe PQconninfoParse(url, &message) else {
            defer { unsafe PQfreemem(message) }
            let reason = unsafe message.map { unsafe String(cString: $0) } ?? "no memory"
            throw invalid(shown(reason.trimmed, of: url), hint: encodingHint)
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

    /// libpq quotes the part that it does not understand. The name of a parameter may be shown;
    /// anything else, or a name that may be a piece of a password, may not.
    private static func shown(_ message: String, of url: String) -> String {
        guard let last = message.lastIndex(of: "\""),
            let first = message[..<last].lastIndex(of: "\"")
        else { return message }
        let authority = url.drop { $0 != "/" }.drop { $0 == "/" }.prefix { $0 != "/" && $0 != "?" }
        let isSplitRightly =
            url.count(where: { $0 == "@" }) == authority.count { $0 == "@" }
            && authority.count { $0 == "@" } <= 1
        let isName =
            (message.hasPrefix("invalid URI query parameter")
                || message.hasPrefix("extra key/value separator"))
            && message[message.index(after: first)..<last]
                .allSatisfy { $0.isASCII && ($0.isLetter || $0 == "_") }
        if isSplitRightly && isName { return message }
        return "\(message[..<first])***\(message[message.index(after: last)...])"
    }
}

/// What the address's own `options` set.
struct SessionOptions {
    /// The settings' names, in lower case.
    private(set) var names: Set<String> = []

    /// Reads `-c name=value` and `--name=value`, as the server does; other switches pass.
    ///
    /// - Throws: `fatal` `invalid-address` for what the server could not read.
    init(_ text: String?) throws {
        var words = Self.words(text ?? "")[...]
        while let word = words.popFirst() {
            var setting: String
            if word == "-c" {
                guard let next = words.popFirst() else { throw Self.invalid("-c") }
                setting = next
            } else if word.hasPrefix("--") {
                setting = String(word.dropFirst(2))
            } else if word.hasPrefix("-c") {
                setting = String(word.dropFirst(2))
            } else if word.hasPrefix("-") {
                // A switch of the server's, whose value may be a word of its own.
                if word.count == 2, words.first?.hasPrefix("-") == false { words.removeFirst() }
                continue
            } else {
                throw Self.invalid(word)
            }
            guard let equals = setting.firstIndex(of: "="), equals > setting.startIndex else {
                throw Self.invalid(setting)
            }
            setting = setting[..<equals].lowercased()
            names.insert(setting.replacing("-", with: "_"))
        }
    }

    private static func invalid(_ word: String) -> PipelineError {
        ConnectionSettings.invalid(
            "\"options\" must be like \"-c name=value\", and \(word) is not")
    }

    /// Separated by spaces; a backslash takes the next character as it is.
    private static func words(_ text: String) -> [String] {
        var words: [String] = []
        var word: String?
        var isEscaped = false
        for character in text {
            if !isEscaped && character == "\\" {
                isEscaped = true
            } else if !isEscaped && character.isWhitespace {
                if let word { words.append(word) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
                isEscaped = false
            }
        }
        return words + (word.map { [$0] } ?? [])
    }
}

extension ClosedRange<Int> {
    fileprivate var words: String { "\(lowerBound) to \(upperBound)" }
}
