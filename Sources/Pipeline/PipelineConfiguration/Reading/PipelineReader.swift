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
    /// The pipeline, if nothing is wrong with it but how long it may let cases wait: it must not run,
    /// but may be simulated.
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

    mutating func add(_ problem: Diagnostic) {
        diagnostics = Diagnostics(diagnostics.list + [problem]).sorted()
        if problem.severity == .error {
            definition = nil
            rehearsal = nil
        }
    }

    /// Whether nothing is wrong with the file itself; only the environment may be missing.
    public var isValid: Bool { !diagnostics.hasErrors }
}
