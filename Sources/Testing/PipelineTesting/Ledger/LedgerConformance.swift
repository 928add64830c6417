internal import Batching
public import Ledger
public import PipelineCore

/// Makes stages, cases and commits for one check.
struct LedgerFixture: Sendable {
    private let subject: LedgerConformance
    let random = RandomSource()
    private let pipeline: String

    init(_ subject: LedgerConformance) {
        self.subject = subject
        pipeline = "conformance-\(random.uuid())"
    }

    func stage(
        _ trigger: Trigger, maxBatch: Int = 512, minInterval: Duration = .zero,
        revision: Int64? = 1,
        ruleText: String = "rule", sla: Duration = .hours(24)
    ) -> LedgerStage {
        LedgerStage(
            pipeline: pipeline, stage: "batch",
            rule: BatchingRule(trigger: trigger, maxBatch: maxBatch, minInterval: minInterval),
            ruleText: ruleText, revision: revision, sla: sla)
    }

    /// A registered ledger.
    func ledger(_ trigger: Trigger, maxBatch: Int = 512, minInterval: Duration = .zero)
        async throws -> any Ledger
    {
        try await ledger(stage(trigger, maxBatch: maxBatch, minInterval: minInterval))
    }

    func ledger(_ stage: LedgerStage) async throws -> any Ledger {
        let ledger = try await subject.open(stage)
        try await ledger.register()
        return ledger
    }

    /// New cases, due `hours` from an arbitrary day far ahead, in random order within it.
    func cases(_ count: Int, deadline: Timestamp? = nil) -> [LedgerTestCase] {
        (0..<count).map { _ in
            let far = Timestamp(microseconds: 4_000_000_000_000_000 + Int64(random.below(1 << 40)))
            return LedgerTestCase(
                id: random.uuid(), deadline: deadline ?? far,
                parameters: random.uuid().bytes[...])
        }
    }

    /// The store's clock, as an evaluation of an empty stage tells it.
    func clock(of ledger: any Ledger) async throws -> Timestamp { try await ledger.seal().clock }

    /// What a generator would answer: a report that repeats the parameters.
    func commit(_ batch: Batch, sinks: [String] = [], failing: Set<UUID> = []) -> BatchCommit {
        BatchCommit(
            batch: batch.number, token: batch.token, cases: batch.cases.map(\.number),
            outcomeIDs: batch.cases.map { _ in random.uuid() },
            results: batch.cases.map {
                failing.contains($0.id)
                    ? .failure(code: "no-data", reason: "nothing there") : .report($0.parameters)
            },
            dataAsOf: Timestamp(microseconds: 1_000_000), sinks: sinks, took: .milliseconds(500),
            rowsRead: 9)
    }
}

struct LedgerTestCase: Sendable {
    var id: UUID
    var deadline: Timestamp?
    var parameters: Bytes
    var trace: TraceContext?
    var requester: String?

    var digest: Digest { Digest(of: parameters) }

    /// The same id asking for something else.
    var altered: LedgerTestCase {
        LedgerTestCase(id: id, deadline: deadline, parameters: parameters + [0])
    }
}

extension Submissions {
    init(_ cases: [LedgerTestCase], _ advances: [PositionAdvance] = []) {
        self.init(advances: advances)
        reserveCapacity(cases.count)
        for item in cases {
            append(
                id: item.id, digest: item.digest, deadline: item.deadline,
                parameters: item.parameters, trace: item.trace,
                requester: item.requester)
        }
    }
}

extension Ledger {
    /// Accepts new cases; fails the check if they are not all new.
    func add(_ cases: [LedgerTestCase]) async throws {
        let acceptance = try await accept(Submissions(cases))
        try requireEqual(
            acceptance, .accepted(AcceptedCounts(new: cases.count, reopened: 0, repeated: 0)),
            "new cases")
    }

    /// Ends cases of a stage without sinks.
    func end(_ ids: [UUID], as state: CaseState, reason: String) async throws -> Int {
        try await end(ids, as: state, reason: reason, sinks: [])
    }

    func state(of id: UUID) async throws -> CaseState? {
        try await snapshots(of: [id])[id]?.state
    }

    /// Evaluates until nothing more is to be done at once.
    func sealAll() async throws -> [SealedBatch] {
        var sealed: [SealedBatch] = []
        for _ in 0..<10_000 {
            let result = try await seal()
            sealed += result.sealed
            let isAtOnce = result.next.map { $0 <= result.clock } ?? false
            if result.sealed.isEmpty && !isAtOnce { return sealed }
        }
        throw ConformanceFailure("sealing does not end")
    }

    /// Claims for an hour, which is for ever.
    func claimOne() async throws -> Batch {
        try requireValue(try await claim(worker: "w", lease: .hours(1)), "batch to claim")
    }

    func claimAll() async throws -> [Batch] {
        var batches: [Batch] = []
        while let batch = try await claim(worker: "w", lease: .hours(1)) { batches.append(batch) }
        return batches
    }
}

/// What every ``Ledger`` must do, as checks to be run against each implementation.
///
/// ```swift
/// @Test(arguments: LedgerConformance.checks)
/// func `the ledger on PostgreSQL`(_ check: LedgerConformance.Check) async throws {
///     try await check.run(LedgerConformance { try provider.ledger(for: $0) })
/// }
/// ```
///
/// The checks use the store's own clock and never sleep: what must be over is made to end in the
/// past. Each has a pipeline of its own, so that they may share a store.
public struct LedgerConformance: Sendable {
    public typealias Check = ConformanceCheck<LedgerConformance>

    let open: @Sendable (LedgerStage) async throws -> any Ledger

    /// - Parameter open: opens a stage's ledger, always in the same store. The same stage
    ///   opened twice stands for two processes.
    public init(open: @escaping @Sendable (LedgerStage) async throws -> any Ledger) {
        self.open = open
    }

    /// All of them, from the simple to the composed.
    public static let checks: [Check] =
        accepting + windows + reopening + sealing + flushing + revisions + batches + deliveries
        + parking
        + reading + ending + inspection + replaying + requesting
        + concurrency

    static func check(
        _ name: String, _ body: @escaping @Sendable (LedgerFixture) async throws -> Void
    ) -> Check {
        Check(name) { try await body(LedgerFixture($0)) }
    }
}

extension Ledger {
    /// Purges until nothing is left. Answers how many cases went.
    public func purgeAll(finishedBefore before: Timestamp) async throws -> Int {
        var total = 0
        while let gone = try await purge(finishedBefore: before) { total += gone }
        return total
    }
}

extension LedgerOverview {
    /// Deliveries that have not been made, over all sinks.
    public var undeliveredCount: Int { undelivered.values.reduce(0) { $0 + $1.count } }
}
