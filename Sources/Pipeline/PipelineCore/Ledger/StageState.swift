/// What a ledger holds for one stage, by the name under which it was left there.
public struct StageState: Sendable, Hashable {
    public var pipeline: String
    public var stage: String
    /// Cases in no batch yet, counted up to 10,000.
    public var waiting: Int
    /// Batches without outcomes.
    public var openBatches: Int
    /// Batches that are still to be delivered, by sink.
    public var undelivered: [String: Int]
    /// Outcomes that a sink has refused for good, by sink.
    public var parked: [String: Int]
    /// The logs that have stored positions.
    public var sources: Set<String>
    /// Whether it has read or answered anything, be it open or not.
    public var hasHistory: Bool
    /// What operators hold up.
    public var pauses: [LedgerPart: LedgerPause]

    public init(
        pipeline: String, stage: String, waiting: Int = 0, openBatches: Int = 0,
        undelivered: [String: Int] = [:], parked: [String: Int] = [:], sources: Set<String> = [],
        hasHistory: Bool = false, pauses: [LedgerPart: LedgerPause] = [:]
    ) {
        self.hasHistory = hasHistory
        self.pauses = pauses
        self.pipeline = pipeline
        self.stage = stage
        self.waiting = waiting
        self.openBatches = openBatches
        self.undelivered = undelivered
        self.parked = parked
        self.sources = sources
    }

    /// `conversion-reports/batch`
    public var name: String { "\(pipeline)/\(stage)" }

    public var hasOpenWork: Bool {
        waiting > 0 || openBatches > 0 || !undelivered.isEmpty || !parked.isEmpty
    }

    /// `5 waiting cases, 1 open batch, 2 batches not delivered to ready`; empty without any.
    public var openWork: String {
        var parts: [String] = []
        if waiting > 0 { parts.append(Self.count(waiting, "waiting case")) }
        if openBatches > 0 { parts.append(Self.count(openBatches, "open batch", "es")) }
        for sink in openSinks { parts.append(openWork(of: sink)) }
        return parts.joined(separator: ", ")
    }

    /// The sinks that have not got everything.
    public var openSinks: [String] { Set(undelivered.keys).union(parked.keys).sorted() }

    /// `2 batches not delivered to ready, 1 outcome parked for ready`
    public func openWork(of sink: String) -> String {
        var parts: [String] = []
        if let batches = undelivered[sink] {
            parts.append(Self.count(batches, "batch", "es") + " not delivered to \(sink)")
        }
        if let outcomes = parked[sink] {
            parts.append(Self.count(outcomes, "outcome") + " parked for \(sink)")
        }
        return parts.joined(separator: ", ")
    }

    /// `delivery to ready is paused (the bus is moved (root@vm), since 2026-11-27T06:19:53Z)`
    public func held(_ part: LedgerPart) -> String {
        "\(part.spoken) is paused" + (pauses[part].map { " (\($0.sentence))" } ?? "")
    }

    /// All that is held up, in order.
    var held: String {
        pauses.keys.sorted { $0.text < $1.text }.map { held($0) }.joined(separator: ", ")
    }

    static func count(_ number: Int, _ what: String, _ plural: String = "s") -> String {
        number == 1 ? "1 \(what)" : "\(number) \(what)\(plural)"
    }
}

/// Whether what a store holds has an owner among the files at hand.
///
/// State is owned by name: a pipeline, stage or sink that is called something else from now on, or
/// is gone, leaves behind what nobody works on any more. Several processes may run different files
/// on one store, so a name that these files don't have may still be somebody else's. Refused is:
///
/// - a stage of a pipeline whose file is at hand and lacks it: nobody else has that pipeline;
/// - a sink, likewise;
/// - when a stage is about to begin anew: another one that is not at hand and reads what this one
///   is going to read, which is what a renamed stage or pipeline looks like. A second reader of the
///   same topic that is meant is let in by naming both files to `migrate` once;
/// - where nobody else can be at work (the embedded store): every one that is not at hand.
///
/// With nothing open, only the stage that is about to begin anew matters: it would read again what
/// another one has read, and answer again what that one has answered. A pause is missed where it
/// would hold nothing up any more: its stage or sink is gone, or may be the one that begins anew.
public struct StateOwnership: Sendable {
    /// What is wrong, and what to do about it: two sentences without full stops.
    public struct Objection: Sendable, Hashable {
        public var problem: String
        public var remedy: String
        init(_ problem: String, _ remedy: String) {
            self.problem = problem
            self.remedy = remedy
        }
    }

    /// The stages of all files at hand.
    public var owners: [StateOwner]
    /// What the store holds.
    public var stored: [StageState]
    /// Whether no other process can be working on the store.
    public var isExclusive: Bool

    public init(owners: [StateOwner], stored: [StageState], isExclusive: Bool) {
        self.owners = owners
        self.stored = stored
        self.isExclusive = isExclusive
    }

    /// What would count twice: a stage that begins anew where another one has stored the same log
    /// is the same one under another name, unless both are at hand.
    ///
    /// - Parameter found: the stages that have stored what they have read of the log.
    public static func objection(
        toStoring log: LogName, as own: StateName, atHand owners: [StateOwner],
        storedBy found: [StateName]
    ) -> Objection? {
        if owners.isEmpty || found.contains(own) { return nil }
        let other = found.first { name in
            !owners.contains { $0.pipeline == name.pipeline && $0.stage == name.part }
        }
        return other.map { other in
            Objection(
                "the events of \(log.key) are stored by \(other) already, which is not at hand:"
                    + " they would count twice",
                "`penstock migrate --rename \(other)=\(own)` lets \(own) go on from there,"
                    + " `--abandon \(other)` forgets it (whatever reads them again counts them once"
                    + " more), and if both are meant, run both files once in one process")
        }
    }

    /// Open work that would be stranded if the stage started.
    public func objections(pipeline: String, stage: String) -> [Objection] {
        guard let own = owners.first(where: { $0.pipeline == pipeline && $0.stage == stage })
        else { return [] }
        let row = stored.first { $0.pipeline == pipeline && $0.stage == stage }
        return stranded(by: own, isNew: row == nil) + idlePauses(of: own, isNew: row == nil)
            + (row.map { undeliverable($0, own) + lostPauses(of: $0, own) } ?? [])
    }

    /// - Throws: `fatal` `state-unowned` with all objections.
    public func check(pipeline: String, stage: String) throws {
        let found = objections(pipeline: pipeline, stage: stage)
        if found.isEmpty { return }
        throw PipelineError.fatal(
            .stateUnowned, found.map { "\($0.problem): \($0.remedy)" }.joined(separator: "; "))
    }

    /// Stages with open work that are not at hand, and may be another process's.
    public var elsewhere: [StageState] {
        stored.filter { $0.hasOpenWork && !isAtHand($0) }
    }

    private func isAtHand(_ state: StageState) -> Bool {
        owners.contains { $0.pipeline == state.pipeline && $0.stage == state.stage }
    }

    private func stranded(by own: StateOwner, isNew: Bool) -> [Objection] {
        let open = elsewhere
        return open.compactMap { state in
            let holds = "the ledger holds \(state.openWork) of \(state.name)"
            let change =
                "`penstock migrate --rename \(rename(state, to: own))` moves it,"
                + " `--abandon \(state.name)` ends it"
            if state.pipeline == own.pipeline {
                return Objection(
                    "\(holds), a stage that the file of \(own.pipeline) does not have", change)
            }
            if isNew, feeds(state, own) {
                return Objection(
                    "\(holds), which is not at hand and reads what \(own.pipeline)/\(own.stage)"
                        + " is going to read",
                    "\(change); if both are to run, name both files to `penstock migrate` once")
            }
            if isExclusive {
                return Objection(
                    "\(holds), which is not among these files, and nobody else can work on it",
                    "run its file, too; \(change)")
            }
            return nil
        } + (isNew ? forgotten(by: own, besides: open) : [])
    }

    /// Nothing of it is open, and yet it is what the new stage would have to go on from.
    private func forgotten(by own: StateOwner, besides open: [StageState]) -> [Objection] {
        stored.compactMap { state in
            guard state.hasHistory, !isAtHand(state), !open.contains(state), feeds(state, own)
            else { return nil }
            let read = state.sources.isEmpty ? "" : ", and positions in \(state.sources.listed)"
            return Objection(
                "the ledger holds what \(state.name) has answered\(read), which is not at hand,"
                    + " and \(own.pipeline)/\(own.stage) is new and would begin again where that"
                    + " one began: what it has answered would be answered again",
                "`penstock migrate --rename \(rename(state, to: own))` lets it go on from there,"
                    + " `--abandon \(state.name)` lets it begin anew; if both are to run, name both"
                    + " files to `penstock migrate` once")
        }
    }

    /// Nothing is open or remembered where it is paused, which is not at hand.
    private func idlePauses(of own: StateOwner, isNew: Bool) -> [Objection] {
        stored.compactMap { state in
            guard !state.pauses.isEmpty, !state.hasOpenWork, !isAtHand(state) else { return nil }
            let mayBeOwn = isNew && feeds(state, own)
            // What it has answered is missed, too: that is said with the same remedy.
            if mayBeOwn ? state.hasHistory : state.pipeline != own.pipeline { return nil }
            return Objection(
                "of \(state.name), which is not at hand, \(state.held)",
                "`penstock migrate --rename \(rename(state, to: own))` lets it go on as"
                    + " \(own.pipeline)/\(own.stage), paused as it is, and"
                    + " `penstock resume FILE \(state.name)` ends it")
        }
    }

    /// Parts of the chain that the pipeline's file does not have any more.
    private func lostPauses(of state: StageState, _ own: StateOwner) -> [Objection] {
        state.pauses.keys.sorted { $0.text < $1.text }.compactMap { part in
            guard let name = part.name, !own.has(part) else { return nil }
            let old = "\(state.pipeline)/\(name)"
            return Objection(
                "of \(state.name) \(state.held(part)), and the file of \(own.pipeline) does not"
                    + " have it",
                "`penstock migrate --rename \(old)=\(state.pipeline)/NEW` lets another one be"
                    + " paused instead, `penstock resume FILE \(name)` ends it")
        }
    }

    /// A stage that keeps its id has moved with its pipeline.
    private func rename(_ state: StageState, to own: StateOwner) -> String {
        state.stage == own.stage
            ? "\(state.pipeline)=\(own.pipeline)"
            : "\(state.name)=\(own.pipeline)/\(own.stage)"
    }

    /// Stored sources say where a log lies, too: `kafka:CLUSTER/TOPIC`, `file:PATH`.
    private func feeds(_ state: StageState, _ own: StateOwner) -> Bool {
        if state.sources.isEmpty { return own.servesCallers }
        return state.sources.contains { source in
            let log = source.prefix { $0 != "#" }
            return own.inputs.contains {
                log == $0 || log.hasSuffix("/\($0)") || log.hasSuffix(":\($0)")
                    // Kept by a version that knew logs by their topics alone.
                    || $0.hasSuffix("/\(log)")
            }
        }
    }

    private func undeliverable(_ state: StageState, _ own: StateOwner) -> [Objection] {
        state.openSinks.filter { !own.sinks.contains($0) }.map { sink in
            let name = "\(state.pipeline)/\(sink)"
            return Objection(
                "the ledger holds \(state.openWork(of: sink)) of \(state.name), and \(sink) is no"
                    + " sink behind it",
                "put it back, or `penstock migrate --rename \(name)=\(state.pipeline)/NEW` gives"
                    + " them to another sink, `--abandon \(name)` to none")
        }
    }
}

extension PipelineError {
    /// Nothing is moved to a name that has something already.
    public static func stateOwned(_ state: StageState) -> PipelineError {
        let what = state.hasOpenWork ? state.openWork : "positions and finished cases"
        return .fatal(
            .stateOwned,
            "\(state.name) has state of its own (\(what)), which can't be merged with another's:"
                + " let one of the two run out under its own name, or end it by `--abandon`")
    }

    public static func sinkOwned(
        _ batches: Int, _ sink: String, _ state: StageState
    ) -> PipelineError {
        .fatal(
            .stateOwned,
            "\(batches) batch(es) of \(state.name) are marked for \(sink) already: it would get"
                + " them twice; `--abandon` gives up those of the other sink")
    }
}

/// A stage of the files at hand that keeps its state in a store: under its name, and with it what
/// else of its chain is known there by name.
public struct StateOwner: Sendable, Hashable {
    public var pipeline: String
    public var stage: String
    /// The ids of the sinks behind it.
    public var sinks: Set<String>
    /// The ids of the ingest stages before it.
    public var intakes: Set<String>
    /// The topics and files that feed it; a topic by its log (`kafka:CLUSTER/TOPIC`) where that is
    /// known.
    public var inputs: Set<String>
    /// Whether callers' requests feed it as well.
    public var servesCallers: Bool
    public init(
        pipeline: String, stage: String, sinks: Set<String> = [], intakes: Set<String> = [],
        inputs: Set<String> = [], servesCallers: Bool = false
    ) {
        self.pipeline = pipeline
        self.stage = stage
        self.sinks = sinks
        self.intakes = intakes
        self.inputs = inputs
        self.servesCallers = servesCallers
    }

    /// Whether it is a part of its chain.
    public func has(_ part: LedgerPart) -> Bool {
        switch part {
        case .sealing, .generation: true
        case .intake(let id): intakes.contains(id)
        case .delivery(let id): sinks.contains(id)
        }
    }
}

extension Set<String> {
    fileprivate var listed: String {
        let first = sorted().prefix(3).joined(separator: ", ")
        return count > 3 ? "\(first) and \(count - 3) more" : first
    }
}

/// The name of what owns state: a pipeline, or one of its stages or sinks.
public struct StateName: Sendable, Hashable, CustomStringConvertible {
    public var pipeline: String
    /// A stage's or sink's id; `nil` for the whole pipeline.
    public var part: String?
    public init(pipeline: String, part: String? = nil) {
        self.pipeline = pipeline
        self.part = part
    }
    public var description: String { part.map { "\(pipeline)/\($0)" } ?? pipeline }
}
