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
