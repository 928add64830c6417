internal import CommandLineInterface
internal import ConfigurationFields
internal import Ledger
internal import Logging
internal import PipelineConfiguration
internal import PipelineCore
internal import StandardCatalogue

private struct MigrateOptions: Settings {
    static let summary =
        "Creates or updates the tables of the stores that pipelines name; moves or ends what is kept under old names."
    let rename: [Renaming]
    let abandon: [AbandonedName]
    let yes: Bool
    let files: [String]

    init(_ field: Fields) {
        rename =
            field.optional(
                "rename",
                "Moves what a pipeline, stage or sink has stored to its new name, which a FILE has: OLD=NEW, each a PIPELINE or PIPELINE/ID. All of them are moved, or none.",
                example: [
                    Renaming(old: .init(pipeline: "reports"), new: .init(pipeline: "answers"))
                ])
            ?? []
        abandon =
            field.optional(
                "abandon",
                "Cancels the open cases of a pipeline or stage, gives up the deliveries of a sink, and ends the pauses of what no FILE has: PIPELINE or PIPELINE/ID. What a stage has read and answered that no FILE has is forgotten: another one that reads the same begins anew, and counts stored events once more.",
                example: [AbandonedName(name: .init(pipeline: "reports", part: "batch"))]) ?? []
        yes = field("yes", "Does what --abandon otherwise only counts.", default: false)
        files = field.arguments(
            "FILE", "Pipeline files; any *.schema.json among them is passed over.",
            example: ["Pipelines/conversion-reports.json"],
            completion: .files)
    }
}

/// `OLD=NEW`
private struct Renaming: TextValue, Hashable {
    static let kind = "renaming"
    let old: StateName
    let new: StateName

    init(old: StateName, new: StateName) {
        self.old = old
        self.new = new
    }

    init(parsing text: String) throws(Refusal) {
        let sides = text.split(separator: "=", omittingEmptySubsequences: false)
        guard sides.count == 2, let old = StateName(String(sides[0])),
            let new = StateName(String(sides[1])), (old.part == nil) == (new.part == nil)
        else {
            throw Refusal(
                .invalidValue, "is not a renaming",
                hint: "write PIPELINE=PIPELINE or PIPELINE/ID=PIPELINE/ID")
        }
        self.init(old: old, new: new)
    }

    var text: String { "\(old)=\(new)" }

    /// Whether the files have the new name, and whatever is to take over is of the same kind.
    ///
    /// - Throws: ``CommandFailure`` `usage`.
    func checked(against definitions: [PipelineDefinition]) throws -> StateRenaming {
        guard let pipeline = definitions.first(where: { $0.name == new.pipeline }) else {
            let names = definitions.map(\.name).sorted().joined(separator: ", ")
            throw CommandFailure(
                .usage,
                "--rename \(text): no FILE has a pipeline \"\(new.pipeline)\": there is \(names)")
        }
        let kinds = pipeline.kindsOfState(under: new.part)
        let former = definitions.first { $0.name == old.pipeline }
        var isSameKind = true
        if let id = new.part {
            guard let stage = pipeline.stage(id) else {
                throw CommandFailure(
                    .usage,
                    "--rename \(text): \(pipeline.file) has no stage \"\(id)\": there is \(pipeline.stageNames)"
                )
            }
            let role = old.part.flatMap { former?.stage($0)?.role }
            isSameKind = role == nil || role == stage.role
        } else if let former {
            isSameKind = former.kindsOfState(under: nil).isSubset(of: kinds)
        }
        guard isSameKind else {
            throw CommandFailure(.usage, "--rename \(text): \(new) is of another kind than \(old)")
        }
        return StateRenaming(old, to: new, kinds: kinds)
    }
}

/// A pipeline, or one of its stages or sinks.
private struct AbandonedName: TextValue, Hashable {
    static let kind = "name"
    let name: StateName

    init(name: StateName) { self.name = name }

    init(parsing text: String) throws(Refusal) {
        guard let name = StateName(text) else {
            throw Refusal(
                .invalidValue, "is no such name", hint: "write PIPELINE or PIPELINE/ID")
        }
        self.name = name
    }

    var text: String { "\(name)" }
}

extension StateName {
    /// `PIPELINE` or `PIPELINE/ID`; `nil` for anything else.
    fileprivate init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), !parts.contains(where: \.isEmpty) else { return nil }
        self.init(pipeline: String(parts[0]), part: parts.count == 2 ? String(parts[1]) : nil)
    }
}

extension PenstockCommand {
    static func migrate(_ catalogue: Catalogue) -> Command {
        Command(
            "migrate", MigrateOptions.self,
            details: """
                Safe to run again, while pipelines run, and by two processes at once. --rename and \
                --abandon are for names that nothing runs under any more; an embedded store is \
                refused while anything runs on it.
                """,
            examples: [
                .init("Pipelines/*.json", "Before the first run, and after an update."),
                .init(
                    "--rename reports=answers Pipelines/*.json",
                    "After the pipeline was given another name in its file."),
                .init(
                    "--abandon reports/copy Pipelines/*.json",
                    "Counts what a removed sink has missed."
                ),
            ]
        ) { options, console in
            if options.yes, options.abandon.isEmpty {
                throw CommandFailure(.usage, "--yes has no effect without --abandon")
            }
            var resources = OpenResources(
                catalogue: catalogue,
                context: ResourceContext(
                    clock: .system, random: RandomSource(),
                    logger: Logger(label: "penstock", level: .warning), isRunning: false))
            let definitions = try PipelineFiles.read(
                options.files, catalogue: catalogue, console: console)
            var stages: [(any StandardStore, LedgerNeed)] = []
            let opened = try definitions.map { try resources.open($0) }
            var owners: [StateOwner] = []
            for (definition, opened) in zip(definitions, opened) {
                owners += await definition.stateOwners(in: opened, within: .seconds(5))
            }
            for (definition, opened) in zip(definitions, opened) {
                stages += definition.ledgers(in: opened, owners: owners)
            }
            if !options.rename.isEmpty || !options.abandon.isEmpty {
                try resources.refuseMissing(definitions)
            }
            let renamings = try options.rename.map { try $0.checked(against: definitions) }
            do {
                for store in resources.stores { try await store.migrate() }
                let names = NameMigration(
                    stores: resources.stores, owners: owners, console: console)
                try await names.move(renamings)
                for name in options.abandon {
                    try await names.end(name.name, isTrial: !options.yes)
                }
                for (store, need) in stages { try await store.enter(need) }
            } catch let error as PipelineError {
                throw CommandFailure(error.exitCode, error.description)
            }
            console.err("\(resources.stores.count) store(s) up to date\n")
            await resources.close()
            return .success
        }
    }
}

extension PipelineDefinition {
    /// The stages with a ledger, and the store that keeps it.
    fileprivate func ledgers(
        in opened: [ResourceName: any Resource], owners: [StateOwner]
    ) -> [(any StandardStore, LedgerNeed)] {
        stages.flatMap { stage in
            stage.contract.uses.compactMap { use in
                guard var ledger = use.ledger(pipeline: name, stage: stage.id),
                    let store = opened[use.resource] as? any StandardStore
                else { return nil }
                ledger.owners = owners
                return (store, ledger)
            }
        }
    }
}

/// Moves and ends what stores keep under names.
private struct NameMigration {
    let stores: [any StandardStore]
    /// Those of the files at hand: they keep what they have read and answered.
    let owners: [StateOwner]
    let console: Console

    /// Every store is asked for what it objects to before the first one moves anything.
    func move(_ renamings: [StateRenaming]) async throws {
        if renamings.isEmpty { return }
        for store in stores { _ = try await store.rename(renamings, isTrial: true) }
        var moved = renamings.map { _ in [String]() }
        for store in stores {
            for (index, lines) in try await store.rename(renamings, isTrial: false).enumerated() {
                moved[index] += lines
            }
        }
        for (renaming, lines) in zip(renamings, moved) { tell(lines, of: renaming) }
    }

    private func tell(_ moved: [String], of renaming: StateRenaming) {
        for line in moved { console.err("\(line)\n") }
        if moved.isEmpty {
            return console.err("nothing is kept under \(renaming.old): nothing was moved\n")
        }
        console.err(
            """
            not moved: the keys of a dedupe memory in a cache (repeats go on to the ledger, which \
            knows them), and what Kafka keeps of the consumer groups \(renaming.old.pipeline).* \
            (which counts only for pipelines without a store)

            """)
    }

    func end(_ name: StateName, isTrial: Bool) async throws {
        let reason = "abandoned: an operator gave up what was open under \(name)"
        var ended: [String] = []
        for store in stores {
            ended += try await store.abandon(
                name, besides: owners, reason: reason, isTrial: isTrial)
        }
        for line in ended { console.err("\(isTrial ? "would end" : "ended") \(line)\n") }
        if ended.isEmpty { return console.err("nothing is open under \(name)\n") }
        if isTrial {
            throw CommandFailure(
                .usage, "nothing was ended: --yes cancels these cases and gives up these deliveries"
            )
        }
    }
}
