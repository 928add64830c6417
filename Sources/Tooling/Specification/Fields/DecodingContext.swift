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
