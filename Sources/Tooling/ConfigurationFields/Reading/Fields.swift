public import ConfigurationDiagnostics
public import LocatedJSON

/// What a settings' initializer reads its fields from, see ``Settings``.
public final class Fields {
    enum Source {
        case nothing
        case document([JSON.Member], Position?, DecodingContext)
        case arguments(Arguments, DecodingContext)
    }

    enum Outcome<Value> {
        case value(Value)
        case absent
        case refused
        /// Given by a variable or file that is not there, where settings are only looked at.
        case unresolved
    }

    let source: Source
    private(set) var described: [Field] = []
    private(set) var hasFailed = false
    /// How many of a command line's arguments have been read.
    private var argumentsRead = 0
    /// Whether a field has taken every key that no other reads.
    var takesRest = false

    init(_ source: Source) { self.source = source }

    var context: DecodingContext? {
        switch source {
        case .nothing: nil
        case .document(_, _, let context), .arguments(_, let context): context
        }
    }

    func describe(_ field: Field) { described.append(field) }
    func fail() { hasFailed = true }

    /// Refuses what was given and no field has read.
    func refuseUnknown(besides others: [String] = []) {
        switch source {
        case .nothing: break
        case .document(let members, _, let context):
            guard !takesRest else { return }
            let known = described.map(\.key) + others
            for member in members where !known.contains(member.key) {
                context.at(member.key).reportUnknownKey(member, among: known)
                fail()
            }
        case .arguments(let arguments, let context):
            for extra in arguments.positionals.dropFirst(argumentsRead) {
                context.report(
                    .extraArgument, "\(JSON.quoted(extra)) is one argument too many", at: nil)
                fail()
            }
        }
    }
}

/// A type whose initializer describes its fields.
///
/// Run against a document or a command line it decodes; run against nothing it describes, and
/// help, schema, reference and completion come of that. A forgotten field is a compile error. The
/// initializer must not branch on what it reads, or the description would miss a branch.
///
/// ```swift
/// struct KafkaInput: Settings {
///     static let summary = "Reads records from a Kafka topic."
///     let topic: String
///     let maxBatch: Int
///
///     init(_ field: Fields) {
///         topic = field("topic", "Topic to read.", example: "orders")
///         maxBatch = field("max_batch", "Most records handed on at once.", unit: "records",
///             default: 500, in: 1...10_000)
///     }
/// }
/// ```
public protocol Settings: Sendable {
    /// One sentence about what the settings are for.
    static var summary: String { get }
    /// Reads every field; called with examples when only the description is wanted.
    init(_ field: Fields)
}

extension Settings {
    /// The fields in the order of their declaration.
    public static var fields: [Field] {
        let fields = Fields(.nothing)
        _ = Self(fields)
        return fields.described
    }

    /// Reads a document.
    ///
    /// - Throws: ``Diagnostics`` with everything that is wrong.
    public static func decode(
        _ json: JSON, environment: Environment = .empty
    ) throws(Diagnostics) -> Self {
        let context = DecodingContext(environment: environment)
        guard let settings = context.decode(settings: Self.self, from: json) else {
            throw context.problems
        }
        return settings
    }
}

extension Fields {
    /// The value, its default, or, when it is described or refused, its example.
    func required<Value: FieldValue>(_ declaration: Declaration<Value>) -> Value {
        switch read(declaration) {
        case .value(let value): return value
        case .refused, .unresolved: return declaration.example
        case .absent:
            if let fallback = declaration.fallback { return fallback }
            reportMissing(declaration)
            return declaration.example
        }
    }

    /// Reads a field from wherever this reads.
    func read<Value: FieldValue>(_ declaration: Declaration<Value>) -> Outcome<Value> {
        let field = declaration.field
        describe(field)
        let outcome: Outcome<Value>
        switch source {
        case .nothing:
            return .value(declaration.example)
        case .document(let members, _, let context):
            outcome = read(declaration, field, members, context)
        case .arguments(let arguments, let context):
            outcome = read(declaration, field, arguments, context)
        }
        switch outcome {
        case .refused: fail()
        case .absent: recordFallback(declaration, field)
        case .value, .unresolved: break
        }
        return outcome
    }

    private func read<Value: FieldValue>(
        _ declaration: Declaration<Value>, _ field: Field, _ members: [JSON.Member],
        _ context: DecodingContext
    ) -> Outcome<Value> {
        guard let member = members.first(where: { $0.key == field.key }) else { return .absent }
        var context = context.at(field.key)
        context.isSecret = context.isSecret || declaration.isSecret
        let errorsBefore = context.record.errorCount
        let (value, origin) = context.resolve(Value.self, member.value)
        guard let value else {
            if context.record.errorCount > errorsBefore { return .refused }
            // Only the environment is missing, and here that does not matter.
            if context.environment.missing == .warning { return .unresolved }
            context.report(
                .invalidValue, "is not \(declaration.wanted)", at: member.value.position)
            return .refused
        }
        context.origin = origin
        return accept(value, declaration, member.value.position, context)
    }

    private func read<Value: FieldValue>(
        _ declaration: Declaration<Value>, _ field: Field, _ arguments: Arguments,
        _ context: DecodingContext
    ) -> Outcome<Value> {
        let texts: [String]
        switch field.role {
        case .argument:
            texts = Array(arguments.positionals.dropFirst(argumentsRead).prefix(1))
        case .arguments: texts = Array(arguments.positionals.dropFirst(argumentsRead))
        case .option: texts = arguments.options.filter { $0.name == field.option }.map(\.text)
        }
        if field.role != .option { argumentsRead += texts.count }
        if field.role == .option, !field.isFlag, texts.count > 1,
            !(Value.self is any RepeatedValue.Type)
        {
            context.report(
                .repeatedOption, "--\(field.option) stands \(texts.count) times",
                hint: "it takes one value", at: nil)
            return .refused
        }
        guard !texts.isEmpty else { return .absent }
        var context = context
        context.isSecret = declaration.isSecret
        context.origin = .commandLine
        do throws(Refusal) {
            let value = try parse(texts, declaration)
            return accept(value, declaration, nil, context)
        } catch {
            let shown = context.shown(texts.joined(separator: ","))
            context.report(
                error.code, "\(declaration.prefix)\(shown) \(error.message)", hint: error.hint,
                at: nil)
            return .refused
        }
    }

    private func parse<Value: FieldValue>(
        _ texts: [String], _ declaration: Declaration<Value>
    ) throws(Refusal) -> Value {
        guard let type = Value.self as? any RepeatedValue.Type else {
            return try Value.parse(texts.last ?? "", unit: nil)
        }
        // An option takes several at once; an argument may be a file with a comma in its name.
        let items =
            declaration.role == .option
            ? texts.flatMap { $0.split(separator: ",").map(String.init) } : texts
        guard let value = try type.parse(each: items) as? Value else {
            return try Value.parse(texts.joined(separator: ","), unit: nil)
        }
        return value
    }

    private func accept<Value: FieldValue>(
        _ value: Value, _ declaration: Declaration<Value>, _ position: Position?,
        _ context: DecodingContext
    ) -> Outcome<Value> {
        if let objection = declaration.objection(value) {
            let prefix = context.record.isCommandLine ? declaration.prefix : ""
            // Numbers stand in the document as they are; everything else arrived as text.
            let isQuoted = value.json.string != nil || context.origin != .document
            let shown = context.shown(value.text, isQuoted: isQuoted)
            context.report(
                objection.code, "\(prefix)\(shown) \(objection.message)",
                hint: objection.hint, at: position)
            return .refused
        }
        var isSecret = context.isSecret
        if case .file = context.origin { isSecret = true }
        context.record.settings.append(
            DecodedSetting(
                path: context.path, position: position, text: value.text, origin: context.origin,
                isSecret: isSecret, refersTo: Value.refersTo))
        return .value(value)
    }

    private func recordFallback<Value: FieldValue>(
        _ declaration: Declaration<Value>, _ field: Field
    ) {
        guard let context, let fallback = declaration.fallback else { return }
        context.record.settings.append(
            DecodedSetting(
                path: context.path.appending(field.key), position: nil, text: fallback.text,
                origin: .fallback, isSecret: declaration.isSecret, refersTo: Value.refersTo))
    }
    private func reportMissing<Value: FieldValue>(_ declaration: Declaration<Value>) {
        fail()
        switch source {
        case .nothing: break
        case .document(_, let position, let context):
            context.report(
                .missingKey, "the key \(JSON.quoted(declaration.field.key)) is missing",
                hint: "expected \(declaration.wanted)", at: position)
        case .arguments(_, let context):
            let isOption = declaration.role == .option
            context.report(
                isOption ? .missingOption : .missingArgument,
                isOption
                    ? "the option --\(declaration.field.option) is missing"
                    : "the argument \(declaration.name) is missing",
                hint: "expected \(declaration.wanted)", at: nil)
        }
    }
}
