public import LocatedJSON

/// One thing that is wrong with what an operator wrote, and where.
///
/// Printed as
/// `reports.json:14:9: error[unknown-key] $.stages[2].cuont: unknown key "cuont"; did you mean …`.
public struct Diagnostic: Error, Sendable, Equatable {
    /// How much a diagnostic matters.
    public enum Severity: String, Sendable, CaseIterable {
        /// What was written cannot be used.
        case error
        /// What was written can be used, but is probably not what was meant.
        case warning
        /// Nothing is wrong; something worth knowing was found.
        case note
    }

    /// The file, as the operator named it; nil for a command line.
    public var file: String?
    /// Where in the file; nil when it is not about a place.
    public var position: Position?
    /// Which value of the document.
    public var path: JSONPath?
    /// What kind of thing is wrong.
    public var code: Code
    /// Whether it stops anything.
    public var severity: Severity
    /// What is wrong, in one sentence without a full stop.
    public var message: String
    /// What to do about it.
    public var hint: String?

    /// A diagnostic, as an error unless said otherwise.
    public init(
        _ code: Code, _ message: String, hint: String? = nil, severity: Severity = .error,
        file: String? = nil, at position: Position? = nil, path: JSONPath? = nil
    ) {
        self.code = code
        self.message = message
        self.hint = hint
        self.severity = severity
        self.file = file
        self.position = position
        self.path = path
    }
}

extension Diagnostic: CustomStringConvertible {
    /// The diagnostic on one line: `file:line:column: severity[code] path: message; hint`.
    public var description: String { line(Paint(isOn: false)) }

    func line(_ paint: Paint) -> String {
        var text = ""
        if let file { text += "\(file):" }
        if let position { text += "\(position.line):\(position.column):" }
        if !text.isEmpty { text += " " }
        text += paint("\(severity.rawValue)[\(code.rawValue)]", as: severity)
        if let path { text += " \(path)" }
        text += ": \(message)"
        if let hint { text += "; \(hint)" }
        return text
    }
}

extension Diagnostic {
    /// What kind of thing is wrong, in kebab-case; stable, so that scripts may rely on it.
    ///
    /// A code is declared together with its documentation, so that nothing can be reported that
    /// `explain-error` does not explain. Other modules declare theirs in extensions.
    public struct Code: Sendable {
        /// The code as printed, for example `unknown-key`.
        public let rawValue: String
        /// What is wrong, in one short sentence.
        public let summary: String
        /// What it means, why it is refused and what to do, in a paragraph.
        public let explanation: String
        /// What is reported with this code.
        public let example: Example

        /// A code with its documentation.
        public init(
            _ rawValue: String, _ summary: String, _ explanation: String, example: Example
        ) {
            self.rawValue = rawValue
            self.summary = summary
            self.explanation = explanation
            self.example = example
        }
    }

    /// Something that is reported with a code, so short that it shows nothing else.
    public enum Example: Sendable {
        /// Files that are read together, each in order but for one part.
        case files([Part])
        /// What stands behind the program's name on a command line.
        case commandLine([String])

        /// A file that is in order but for what stands at a path: `stages[2].trigger`.
        public static func file(at path: String, _ text: String) -> Example {
            .files([Part(at: path, text)])
        }

    }

    /// What stands at a path of a file; at the empty path it is all of it.
    public struct Part: Sendable {
        /// The path below the root, such as `stages[2].trigger`.
        public let path: String
        /// The text, which need not be UTF-8.
        public let bytes: [UInt8]

        /// A part of a file.
        public init(path: String, bytes: [UInt8]) {
            self.path = path
            self.bytes = bytes
        }

        /// A part of a file.
        public init(at path: String, _ text: String) {
            self.init(path: path, bytes: Array(text.utf8))
        }
    }
}

extension Diagnostic.Code: Hashable {
    /// Whether two codes have the same name.
    public static func == (left: Self, right: Self) -> Bool { left.rawValue == right.rawValue }
    /// Feeds the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(rawValue) }
}

/// Everything that was found wrong, together; nothing is reported one by one.
public struct Diagnostics: Error, Sendable, Equatable {
    /// What was found, in no particular order.
    public var list: [Diagnostic]

    /// These findings.
    public init(_ list: [Diagnostic] = []) { self.list = list }

    /// Whether nothing stops the work.
    public var hasErrors: Bool { list.contains { $0.severity == .error } }

    /// The same, each in this file unless it names another, in the order of the text.
    public func located(in file: String) -> Diagnostics {
        let located = list.map { diagnostic in
            var diagnostic = diagnostic
            diagnostic.file = diagnostic.file ?? file
            return diagnostic
        }
        return Diagnostics(located).sorted()
    }

    /// The same in the order of the text; those without a place come last.
    public func sorted() -> Diagnostics {
        let order = list.enumerated().sorted { left, right in
            let first = left.element.position?.offset ?? .max
            let second = right.element.position?.offset ?? .max
            return (first, left.offset) < (second, right.offset)
        }
        return Diagnostics(order.map(\.element))
    }
}

extension Diagnostics: CustomStringConvertible {
    /// One line each.
    public var description: String { list.map(\.description).joined(separator: "\n") }
}

extension Diagnostic {
    /// The widest piece of a line that is shown; a file may be one long line.
    private static let widest = 160

    /// The line, and below it the text it is about with a caret under the place.
    func text(in lines: [Substring]?, _ paint: Paint) -> String {
        let own = line(paint) + "\n"
        guard let lines, let position, lines.indices.contains(position.line - 1)
        else { return own }
        let (shown, indent) = Self.piece(of: lines[position.line - 1], around: position.column - 1)
        let number = String(position.line)
        let margin = String(repeating: " ", count: number.count)
        return own + paint.faint("  \(number) | ") + shown + "\n"
            + paint.faint("  \(margin) | ") + indent + paint("^", as: severity) + "\n"
    }

    /// What is shown of a line, and the blanks before the caret.
    private static func piece(of line: Substring, around column: Int) -> (String, String) {
        // A control character would be the terminal's to obey.
        var scalars = line.unicodeScalars.prefix { $0 != "\r" }.map {
            $0 == "\t" || $0.properties.generalCategory != .control ? $0 : "\u{FFFD}"
        }
        var before = min(column, scalars.count)
        var lead = ""
        if before > widest / 2, scalars.count > widest {
            let cut = min(before - widest / 2, scalars.count - widest)
            scalars.removeFirst(cut)
            before -= cut
            lead = "…"
        }
        let isCut = scalars.count > widest
        let text = lead + String(String.UnicodeScalarView(scalars.prefix(widest)))
        // Tabs stay tabs, so that the caret stands where the terminal put the character.
        let blanks = scalars.prefix(before).map { $0 == "\t" ? "\t" : " " }.joined()
        return (text + (isCut ? "…" : ""), (lead.isEmpty ? "" : " ") + blanks)
    }
}

/// Colours text for a terminal, or leaves it as it is.
struct Paint {
    let isOn: Bool

    func callAsFunction(_ text: String, as severity: Diagnostic.Severity) -> String {
        switch severity {
        case .error: wrapped(text, "1;31")
        case .warning: wrapped(text, "1;33")
        case .note: wrapped(text, "1;36")
        }
    }

    func faint(_ text: String) -> String { wrapped(text, "2") }

    private func wrapped(_ text: String, _ attributes: String) -> String {
        isOn ? "\u{1B}[\(attributes)m\(text)\u{1B}[0m" : text
    }
}
