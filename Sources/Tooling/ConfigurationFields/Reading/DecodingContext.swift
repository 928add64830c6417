public import ConfigurationDiagnostics
public import LocatedJSON

/// Where a value is being read: its path, the environment, and who collects what is wrong.
///
/// A value type with one shared collector: descending copies it, reporting reaches everybody.
public struct DecodingContext {
    /// The way to the value being read.
    public let path: JSONPath
    /// Where `$env` and `$file` are looked up.
    public let environment: Environment
    /// Whether the value must not be shown.
    public internal(set) var isSecret = false
    /// Where the text being parsed came from, if not from the document itself.
    var origin: DecodedSetting.Origin = .document
    let record: DecodingRecord

    /// A context at a document's root.
    public init(environment: Environment = .empty) {
        path = .root
        self.environment = environment
        record = DecodingRecord()
    }

    private init(path: JSONPath, from parent: DecodingContext) {
        self.path = path
        environment = parent.environment
        isSecret = parent.isSecret
        origin = parent.origin
        record = parent.record
    }

    /// Everything reported so far, here and anywhere else in the document.
    public var problems: Diagnostics { Diagnostics(record.problems) }
    /// Every setting decoded so far, in the order of their declarations.
    public var settings: [DecodedSetting] { record.settings }

    /// The context of a member of the object here.
    public func at(_ key: String) -> DecodingContext {
        DecodingContext(path: path.appending(key), from: self)
    }

    /// The context of an item of the list here.
    public func at(_ index: Int) -> DecodingContext {
        DecodingContext(path: path.appending(index), from: self)
    }

    /// Reports something wrong with the value here.
    public func report(
        _ code: Diagnostic.Code, _ message: String, hint: String? = nil,
        severity: Diagnostic.Severity = .error, at position: Position?
    ) {
        record.problems.append(
            Diagnostic(
                code, message, hint: hint, severity: severity, at: position,
                path: record.isCommandLine ? nil : path))
    }

    /// Reports that a value is of another type than this one; nil, to be returned.
    public func refuse<Value: FieldValue>(_ json: JSON, as type: Value.Type) -> Value? {
        // A number or text where a duration was expected is often only a unit away.
        var hint: String?
        if let text = json.scalarText, !isSecret {
            do throws(Refusal) { _ = try Value.parse(text, unit: nil) } catch { hint = error.hint }
        }
        report(
            .wrongType, "expected \(Value.kind), found \(json.kind)", hint: hint, at: json.position)
        return nil
    }

    /// Reads a text as a value, or reports why it is none.
    ///
    /// - Parameter isQuoted: Whether the text stood in quotes, and is shown in them.
    func parse<Value: FieldValue>(
        _ text: String, unit: String? = nil, isQuoted: Bool = true, at position: Position?
    ) -> Value? {
        do throws(Refusal) {
            return try Value.parse(text, unit: unit)
        } catch {
            report(
                error.code, "\(shown(text, isQuoted: isQuoted)) \(error.message)",
                hint: isSecret ? nil : error.hint,
                at: position)
            return nil
        }
    }

    /// How a sentence about a value begins: with the value, unless it is secret, and its origin.
    func shown(_ text: String, isQuoted: Bool = true) -> String {
        let plain = String(Redaction.withoutCredentials(text).prefix(120))
        let value = isSecret ? "the value" : isQuoted ? JSON.quoted(plain) : plain
        return switch origin {
        case .environment(let name): "\(value) from the environment variable \(name)"
        case .file(let path): "\(value) from the file \(path)"
        case .document, .fallback, .commandLine: value
        }
    }
}

/// What decoding a document leaves behind, shared by all contexts below its root.
final class DecodingRecord {
    var problems: [Diagnostic] = []
    var settings: [DecodedSetting] = []
    var isCommandLine = false
    var errorCount: Int { problems.count { $0.severity == .error } }
}

extension DecodingContext {
    /// Reads a value, from the environment or a file if it says so; nil once a problem is reported.
    public func decode<Value: FieldValue>(
        _ type: Value.Type = Value.self, from json: JSON
    ) -> Value? {
        resolve(type, json).value
    }

    /// Reads a settings object; nil once a problem is reported.
    ///
    /// - Parameters:
    ///   - others: Keys of the object that somebody else reads, and are therefore not unknown.
    public func decode<Values: Settings>(
        settings type: Values.Type = Values.self, from json: JSON, besides others: [String] = []
    ) -> Values? {
        guard let members = json.members else {
            report(.wrongType, "expected an object, found \(json.kind)", at: json.position)
            return nil
        }
        let fields = Fields(.document(members, json.position, self))
        let settings = type.init(fields)
        fields.refuseUnknown(besides: others)
        return fields.hasFailed ? nil : settings
    }

    /// The single member of an object that names which of several forms it takes.
    ///
    /// For values with a grammar of their own, such as `{"any": […]}` or `{"count": 512}`.
    /// - Returns: The member and the context of its value; nil once a problem is reported.
    public func alternative(
        of json: JSON, among names: [String], kind: String
    ) -> (member: JSON.Member, context: DecodingContext)? {
        guard let members = json.members else {
            report(.wrongType, "expected \(kind), found \(json.kind)", at: json.position)
            return nil
        }
        let unknown = members.filter { !names.contains($0.key) }
        for member in unknown { at(member.key).reportUnknownKey(member, among: names) }
        guard unknown.isEmpty else { return nil }
        guard let member = members.first, members.count == 1 else {
            let message =
                members.isEmpty ? "\(kind) is empty" : "\(kind) has \(members.count) keys, not one"
            report(
                .invalidValue, message, hint: "valid: \(names.joined(separator: ", "))",
                at: json.position)
            return nil
        }
        return (member, at(member.key))
    }

    func reportUnknownKey(_ member: JSON.Member, among names: [String]) {
        report(
            .unknownKey, "unknown key \(JSON.quoted(member.key))",
            hint: Suggestion.hint(for: member.key, among: names), at: member.position)
    }

    /// Reads a value and says where it came from.
    func resolve<Value: FieldValue>(
        _ type: Value.Type, _ json: JSON
    ) -> (value: Value?, origin: DecodedSetting.Origin) {
        guard Substitution.isMeant(by: json) else {
            return (Value.decode(json, in: self), .document)
        }
        guard let substitution = Substitution(json, in: self) else { return (nil, .document) }
        guard Value.isWrittenAsText else {
            report(
                .invalidSubstitution, "\(Value.kind) cannot come from the environment or a file",
                at: json.position)
            return (nil, .document)
        }
        switch substitution.place {
        case .environment: return fromEnvironment(substitution, at: json.position)
        case .file: return fromFile(substitution.name, at: json.position)
        }
    }

    private func fromEnvironment<Value: FieldValue>(
        _ substitution: Substitution, at position: Position?
    ) -> (Value?, DecodedSetting.Origin) {
        var context = self
        if let text = environment.value(of: substitution.name) {
            context.origin = .environment(substitution.name)
            guard let text = context.withoutMargins(text, at: position) else {
                return (nil, context.origin)
            }
            return (context.parse(text, unit: substitution.unit, at: position), context.origin)
        }
        guard let fallback = substitution.fallback else {
            let isEmpty = environment.variables[substitution.name] != nil
            report(
                .unknownEnvironment,
                "the environment variable \(substitution.name) is \(isEmpty ? "empty" : "not set")",
                hint: "set it, or give a \"default\"", severity: missingSeverity, at: position)
            return (nil, .environment(substitution.name))
        }
        context = at("default")
        if let unit = substitution.unit, case .number(let text) = fallback.value {
            return (context.parse(text, unit: unit, at: fallback.position), .fallback)
        }
        return (Value.decode(fallback, in: context), .fallback)
    }

    private func fromFile<Value: FieldValue>(
        _ path: String, at position: Position?
    ) -> (Value?, DecodedSetting.Origin) {
        var context = self
        context.origin = .file(path)
        // What is kept in a file of its own is kept there because it is secret.
        context.isSecret = true
        do {
            let read = try environment.readFile(path)
            guard let text = context.withoutMargins(read, at: position) else {
                return (nil, context.origin)
            }
            return (context.parse(text, at: position), context.origin)
        } catch {
            reportUnreadable(path, error, at: position)
            return (nil, context.origin)
        }
    }

    /// Looks whether a file can be read whose path is the value here: a warning or an error, as the
    /// environment has it. What is in the file stays unknown.
    public func requireFile(_ path: String, at position: Position?) {
        // Somebody's key, which nobody else is to see.
        if path.contains(where: \.isNewline) || path.hasPrefix("-----BEGIN") {
            report(
                .invalidValue, "the value is the text of a file, and not its path",
                hint: "name the file itself, without \"$file\"", at: position)
            return
        }
        do { _ = try environment.readFile(path) } catch {
            reportUnreadable(path, error, at: position)
        }
    }

    private func reportUnreadable(_ path: String, _ error: any Error, at position: Position?) {
        let reason = (error as? Diagnostic)?.message ?? "\(error)"
        report(
            .unreadableFile, "the file \(path) cannot be read: \(reason)",
            severity: missingSeverity, at: position)
    }

    /// The text without the line breaks at its end; nil, and reported, for one that is empty then,
    /// or has other white space around it, which nobody sees and everything fails by.
    private func withoutMargins(_ text: String, at position: Position?) -> String? {
        var trimmed = text[...]
        while trimmed.last?.isNewline == true { trimmed.removeLast() }
        let place =
            switch origin {
            case .environment(let name): "the environment variable \(name)"
            case .file(let path): "the file \(path)"
            case .document, .fallback, .commandLine: "the value"
            }
        if trimmed.isEmpty {
            report(.invalidValue, "\(place) is empty", at: position)
            return nil
        }
        // A key or a certificate has lines of its own.
        let isOneLine = !trimmed.contains(where: \.isNewline)
        if isOneLine, trimmed.first?.isWhitespace == true || trimmed.last?.isWhitespace == true {
            report(.invalidValue, "\(place) begins or ends with white space", at: position)
            return nil
        }
        return String(trimmed)
    }

    private var missingSeverity: Diagnostic.Severity {
        environment.missing == .error ? .error : .warning
    }
}
