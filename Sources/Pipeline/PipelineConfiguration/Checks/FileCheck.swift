internal import ConfigurationDiagnostics
internal import LocatedJSON
internal import PipelineCore

/// No file is used for two things that do not go together.
enum FileCheck {
    /// A file, or a standard stream, as a pipeline uses it.
    struct Use {
        /// Nil for a database: no one stage owns it.
        var stage: StageDefinition?
        /// The setting that names it, below its stage.
        var field: String
        /// Who uses it: `ingest "requests"`.
        var user: String
        var address: ResourceAddress
        var place: ResourcePlace
        var isRead: Bool

        var reads: String? { isRead ? place.reads : nil }
        var writes: String? { isRead ? nil : place.writes }
        var rejects: String? { isRead ? place.rejects : nil }
    }

    struct Conflict {
        var stage: StageDefinition?
        var field: String
        var code = Diagnostic.Code.fileConflict
        var severity = Diagnostic.Severity.error
        var message: String
        var hint: String
    }

    static func uses(
        of stages: [StageDefinition], _ resources: [ResourceDefinition]
    ) -> [Use] {
        let lines = stages.flatMap { stage in
            stage.contract.uses.compactMap { use -> Use? in
                guard use.kinds.contains(.lines),
                    let resource = resources.first(where: { $0.name == use.resource }),
                    resource.kinds.contains(.lines), let place = resource.place
                else { return nil }
                return Use(
                    stage: stage, field: use.field, user: "\(stage.type) \(JSON.quoted(stage.id))",
                    address: resource.address, place: place, isRead: use.purpose == .reads)
            }
        }
        let kept = stages.flatMap { stage in
            stage.contract.files.map { file in
                Use(
                    stage: stage, field: file.field,
                    user: "\(stage.type) \(JSON.quoted(stage.id))", address: file.address,
                    place: file.place, isRead: false)
            }
        }
        let databases = resources.compactMap { resource -> Use? in
            guard let place = resource.place, place.owns != nil else { return nil }
            return Use(
                stage: nil, field: "", user: "the resource \(JSON.quoted(resource.name.text))",
                address: resource.address, place: place, isRead: false)
        }
        return databases + lines + kept
    }

    /// What is wrong inside a pipeline; two inputs that are one are another check's.
    static func conflicts(within uses: [Use]) -> [Conflict] {
        uses.indices.flatMap { index in
            uses[..<index].compactMap { conflict(uses[index], $0, of: nil) }
        }
    }

    /// What is wrong with a pipeline beside an earlier one.
    ///
    /// - Parameter file: the earlier one's.
    static func conflicts(of uses: [Use], with others: [Use], in file: String) -> [Conflict] {
        uses.flatMap { use in others.compactMap { conflict(use, $0, of: file) } }
    }

    private static func conflict(_ use: Use, _ other: Use, of file: String?) -> Conflict? {
        // It is reported where there is a stage to report it at.
        let (use, other) = use.stage == nil ? (other, use) : (use, other)
        let whose = file.map { " of \($0)" } ?? ""
        func found(
            _ message: String, _ hint: String, _ code: Diagnostic.Code = .fileConflict,
            _ severity: Diagnostic.Severity = .error
        ) -> Conflict {
            Conflict(
                stage: use.stage, field: use.field, code: code, severity: severity,
                message: message, hint: hint)
        }
        if let owned = other.place.owns, other.stage == nil {
            guard [use.reads, use.writes, use.rejects].contains(owned) else { return nil }
            return found(
                "\(use.address) is the database of \(other.user)\(whose)",
                "lines need a file of their own")
        }
        if let writes = use.writes, writes == other.reads {
            return found(
                "\(use.user) writes to \(use.address), which \(other.user)\(whose) reads",
                "what is written would be read again; use another file")
        }
        if let reads = use.reads, reads == other.writes {
            return found(
                "\(use.user) reads \(use.address), which \(other.user)\(whose) writes to",
                "what is written would be read again; use another file")
        }
        for (rejecting, touching, isOwn) in [(use, other, true), (other, use, false)] {
            guard let rejects = rejecting.rejects,
                rejects == touching.reads || rejects == touching.writes
            else { continue }
            let does = touching.isRead ? "reads" : "writes to"
            return found(
                "\(touching.user)\(isOwn ? whose : "") \(does) \(touching.address), where "
                    + "\(rejecting.user)\(isOwn ? "" : whose) keeps what it refuses of "
                    + "\(rejecting.address)", "use another file")
        }
        if file != nil, use.place.isStream, let reads = use.reads, reads == other.reads {
            return found(
                "\(use.address) is an input\(whose) already",
                "each line would go to one of the two by chance", .repeatedInput)
        }
        if let writes = use.writes, writes == other.writes, !use.place.isStream {
            return found(
                "\(use.user) writes to \(use.address), as \(other.user)\(whose) does",
                "the lines of both are mixed", .fileConflict, .warning)
        }
        return nil
    }
}
