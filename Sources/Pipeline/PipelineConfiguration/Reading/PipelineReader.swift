public import ConfigurationDiagnostics
public import ConfigurationFields
internal import LocatedJSON
public import PipelineCore

/// Reads pipeline files. `validate` and `run` are this code and no other.
///
/// Reading is pure: it opens no connection, and asks for variables and files only by its
/// ``environment``.
public struct PipelineReader: Sendable {
    /// Everything a file may name.
    public var catalogue: Catalogue
    /// Where `$env` and `$file` are looked up, and whether what is missing there is an error.
    public var environment: Environment

    /// A reader of files that name what is in the catalogue.
    public init(catalogue: Catalogue, environment: Environment) {
        self.catalogue = catalogue
        self.environment = environment
    }

    /// Reads a file's text and reports everything that is wrong with it.
    ///
    /// - Parameter file: How the operator named the file; it stands in every diagnostic.
    public func read(_ bytes: [UInt8], file: String) -> PipelineReading {
        let parsed = JSON.parse(bytes)
        let context = DecodingContext(environment: environment)
        var definition: PipelineDefinition?
        if let root = parsed.value {
            definition = decode(root, file: file, in: context)
        }
        let references = parsed.value?.references ?? []
        let found = context.problems.list.map { named($0, by: references) }
        let problems = Diagnostics(parsed.problems.map(Diagnostic.init) + found).located(in: file)
        // A definition that leans on an example where a variable was missing must not run.
        let leansOnExamples = problems.list.contains {
            $0.code == .unknownEnvironment || $0.code == .unreadableFile
        }
        let isComplete = !leansOnExamples && !problems.hasErrors
        // Whether a rule waits too long can be seen best by watching it.
        let isRehearsable = problems.list.allSatisfy {
            $0.severity != .error || $0.code == .slaExceeded || $0.code == .unboundedWait
        }
        var reading = PipelineReading(
            file: file, source: String(decoding: bytes, as: UTF8.self),
            definition: isComplete ? definition : nil, diagnostics: problems,
            references: references, settings: context.settings)
        reading.rehearsal = isComplete || isRehearsable && !leansOnExamples ? definition : nil
        return reading
    }

    /// Says which variable or file a value came from that somebody objects to.
    private func named(_ problem: Diagnostic, by references: [SubstitutionReference]) -> Diagnostic
    {
        guard let reference = references.first(where: { $0.path == problem.path }) else {
            return problem
        }
        let (name, place) =
            switch reference.place {
            case .environment(let name): (name, "the environment variable \(name)")
            case .file(let path): (path, "the file \(path)")
            }
        let isDefault =
            if case .environment = reference.place { environment.value(of: name) == nil } else {
                false
            }
        if isDefault || problem.message.contains(name) { return problem }
        var problem = problem
        problem.message += " (from \(place))"
        return problem
    }

    /// Reads files that are to run together, and reports what is wrong with them together, too.
    ///
    /// - Parameter files: the text of each with the name by which the operator knows it.
    public func read(together files: [(name: String, bytes: [UInt8])]) -> [PipelineReading] {
        var readings = files.map { read($0.bytes, file: $0.name) }
        // By place and not by name: one file may be given twice.
        let whole = readings.indices.filter { readings[$0].definition != nil }
        let found = PipelineSetCheck(whole.compactMap { readings[$0].definition }).run()
        for problem in found.list {
            guard let index = whole.last(where: { readings[$0].file == problem.file }) else {
                continue
            }
            readings[index].add(problem)
        }
        return readings
    }

    private func decode(
        _ root: JSON, file: String, in context: DecodingContext
    ) -> PipelineDefinition? {
        guard root.members != nil else {
            context.report(
                .wrongType, "expected an object, found \(root.kind)", at: root.position)
            return nil
        }
        let header = context.decode(
            settings: HeaderSettings.self, from: root, besides: HeaderSettings.others)
        let resources = ResourceDecoding(catalogue: catalogue, context: context).decode(root)
        let stages = StageDecoding(catalogue: catalogue, context: context).decode(root)
        let check = ChainCheck(
            sla: header?.sla, resources: resources, stages: stages, context: context)
        check.run()
        guard let header else { return nil }
        return PipelineDefinition(
            file: file, name: header.name.text, version: header.version, sla: header.sla,
            position: root["name"]?.position,
            resources: resources.compactMap(\.definition),
            stages: stages.compactMap(\.definition), settings: context.settings,
            references: root.references)
    }
}

/// What came of reading a pipeline file.
public struct PipelineReading: Sendable {
    /// The file, as the operator named it.
    public var file: String
    /// The file's text, for diagnostics that show the line.
    public var source: String
    /// The pipeline; nil when there are errors, or when it needs variables that are not set here.
    public var definition: PipelineDefinition?
    /// The pipeline, if nothing is wrong with it but how long it may let cases wait: it must not
    /// run, but may be simulated.
    public var rehearsal: PipelineDefinition?
    /// Everything that was found, in the order of the text.
    public var diagnostics: Diagnostics
    /// The variables and files that the text refers to, in its order.
    public var references: [SubstitutionReference]
    /// Every setting that could be read, also of a file that is not in order.
    public var settings: [DecodedSetting]

    /// Whether the text is JSON at all.
    public var isDocument: Bool { !references.isEmpty || !settings.isEmpty }

    init(
        file: String, source: String, definition: PipelineDefinition?, diagnostics: Diagnostics,
        references: [SubstitutionReference] = [], settings: [DecodedSetting] = []
    ) {
        self.file = file
        self.source = source
        self.definition = definition
        rehearsal = definition
        self.diagnostics = diagnostics
        self.references = references
        self.settings = settings
    }

    /// What came of a file that could not be read at all.
    public init(unreadable file: String, _ problem: Diagnostic) {
        var problem = problem
        problem.file = file
        self.init(
            file: file, source: "", definition: nil, diagnostics: Diagnostics([problem]))
    }

    fileprivate mutating func add(_ problem: Diagnostic) {
        diagnostics = Diagnostics(diagnostics.list + [problem]).sorted()
        if problem.severity == .error {
            definition = nil
            rehearsal = nil
        }
    }

    /// Whether nothing is wrong with the file itself; only the environment may be missing.
    public var isValid: Bool { !diagnostics.hasErrors }
}

/// The root of a pipeline file, without its resources and stages.
struct HeaderSettings: Settings {
    static let summary = "A pipeline: a chain of stages, and the connections they use."
    private static let currentVersion = 1
    /// Keys of the root that are read elsewhere.
    static let others = ["resources", "stages"]

    private let schema: String?
    let version: Int
    let name: Identifier
    let sla: Duration

    init(_ field: Fields) {
        schema = field.optional(
            "$schema", "The schema that editors check the file by.",
            example: "./pipeline.schema.json")
        version = field("version", "The version of this format.", example: Self.currentVersion) {
            $0 == Self.currentVersion
                ? nil : "is a version this program does not read; it reads \(Self.currentVersion)"
        }
        name = field(
            "name", "The pipeline's name, which its consumer groups and its ledger carry.",
            example: Identifier("conversion-reports"))
        sla = field(
            "sla", "How long a case may wait for its answer.", default: .hours(24),
            in: .seconds(1)...)
    }
}

/// An entry of `resources`.
struct ResourceSettings: Settings {
    static let summary = "A connection that stages refer to by its name."

    let url: String
    let properties: [String: String]

    init(_ field: Fields) {
        url = field(
            "url", "Where it is; the scheme picks the connector.",
            example: "embedded:data/penstock.sqlite")
        properties = field.properties(
            "Properties of the connector, passed through.", example: ["security.protocol": "ssl"])
    }
}

/// What every entry of `stages` has, whatever its type.
struct StageHead: Settings {
    static let summary = "A stage of the chain."
    static let keys = ["id", "type"]

    let id: Identifier
    let type: String

    init(_ field: Fields) {
        id = field(
            "id", "The stage's name, unique in the file; it owns the stage's state.",
            example: Identifier("requests"))
        type = field("type", "What the stage is.", example: "ingest")
    }
}

/// The name of a pipeline, a stage or a resource: it ends up in topic groups, tables and metrics.
struct Identifier: TextValue, Hashable {
    static let kind = "name"
    static let schema: JSON = ["type": "string", "pattern": "^[a-z][a-z0-9_-]{0,62}$"]

    let text: String

    init(_ text: String) { self.text = text }

    init(parsing text: String) throws(Refusal) {
        let isValid =
            (1...63).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            } && text.first?.isLetter == true
        guard isValid else {
            throw Refusal(
                .invalidValue, "is not a name",
                hint: "a name has 1 to 63 lower-case letters, digits, '-' or '_', "
                    + "and begins with a letter")
        }
        self.text = text
    }
}
