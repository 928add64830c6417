internal import Concurrency
public import ConfigurationFields
internal import DryRunReport
internal import Ledger
internal import PipelineConfiguration
internal import PipelineCore
internal import PipelineSimulation
internal import SQLite
internal import SQLiteLedger
internal import Synchronization

/// Every bus and store of a rehearsal: topics and ledgers in memory, and tables that keep nothing.
struct SimulatedBackend: Bus, LedgerProvider, RecordStore {
    let bus: SimulatedBus
    private let ledgers: SQLiteLedgerProvider

    init(clock: PipelineClock, random: RandomSource) {
        bus = SimulatedBus(clock: clock, conditions: .ideal)
        ledgers = SQLiteLedgerProvider(database: .inMemory(), clock: clock, random: random)
    }

    func ensureTopic(_ name: String, partitions: Int?) async throws {
        try await bus.ensureTopic(name, partitions: partitions)
    }
    func consumer(
        _ subscription: Subscription, positions: (any PositionStore)?
    ) async throws -> any BusConsumer {
        try await bus.consumer(subscription, positions: positions)
    }
    func producer() async throws -> any BusProducer { try await bus.producer() }

    func deadLetters(of pipeline: String) -> any DeadLetterStore {
        ledgers.deadLetters(of: pipeline)
    }
    func ledger(for stage: LedgerStage) throws -> any Ledger { ledgers.ledger(for: stage) }
    func migrateLedger() async throws { try await ledgers.migrateLedger() }

    func takes(_ kind: RecordKind) -> Bool { true }
    func sink(for kind: RecordKind, context: StageContext) throws -> any RecordSink {
        SimulatedTable()
    }

    func probe() async throws {}
    func close() async {}
}

/// Takes everything; the runtime's observer has counted it.
private struct SimulatedTable: RecordSink {
    func deliver(_ chunk: Chunk) async throws {}
}

/// A webhook of a rehearsal: takes every call.
struct SimulatedEndpoint: WebhookEndpoint {
    func call(_ calls: [WebhookCall]) async throws -> [WebhookAnswer] {
        calls.map { _ in .delivered }
    }
    func longestCalls(_ count: Int) -> Duration { .zero }
    func probe() async throws {}
    func close() async {}
}

/// A file, or a standard stream, of a rehearsal.
final class SimulatedLines: LineInput, LineOutput {
    private struct State {
        var lines: [Bytes] = []
        var isEnded = false
        var rejected: [OutgoingRecord] = []
    }
    let name: String
    private let state = Mutex(State())
    private let arrivals = Signal()

    init(name: String) { self.name = name }

    /// A line is written to the input.
    func append(line: Bytes) {
        state.withLock { $0.lines.append(line) }
        arrivals.send()
    }

    /// No more lines come.
    func end() {
        state.withLock { $0.isEnded = true }
        arrivals.send()
    }

    /// Lines that were refused, as dead letters.
    var rejected: [OutgoingRecord] { state.withLock { $0.rejected } }

    var isSeekable: Bool { false }

    func lines(from offset: Int64, maxBytes: Int) async throws -> [Line] {
        while true {
            let (found, isEnded) = state.withLock { state in
                defer { state.lines = [] }
                return (state.lines, state.isEnded)
            }
            if !found.isEmpty || isEnded {
                return found.enumerated().map {
                    Line(text: $1, next: offset + Int64($0) + 1)
                }
            }
            try await arrivals.wait()
        }
    }

    func keepRejected(_ lines: [OutgoingRecord]) async throws {
        state.withLock { $0.rejected += lines }
    }

    func append(_ records: [OutgoingRecord]) async throws {}
    func probe() async throws {}
    func close() async {}
}

/// How long a generation run takes: a fixed part, and a part for each case. `30s + 10ms*n`
public struct GenerationCostModel: TextValue, Sendable, Hashable {
    public static let kind = "cost of a generation run"

    public static let usual = GenerationCostModel(fixed: .seconds(30), perCase: .milliseconds(10))

    public let fixed: Duration
    public let perCase: Duration

    public init(fixed: Duration, perCase: Duration) {
        self.fixed = fixed
        self.perCase = perCase
    }

    public init(parsing text: String) throws(Refusal) {
        var fixed = Duration.zero
        var perCase = Duration.zero
        for term in text.split(separator: "+", omittingEmptySubsequences: false) {
            var term = term.filter { $0 != " " }
            if term.hasSuffix("*n") {
                term.removeLast(2)
                perCase += try Self.duration(term)
            } else {
                fixed += try Self.duration(term)
            }
        }
        self.init(fixed: fixed, perCase: perCase)
    }

    private static func duration(_ text: String) throws(Refusal) -> Duration {
        do { return try Duration(parsing: text) } catch {
            throw Refusal(
                error.code, "is no cost of a generation run",
                hint: "write a fixed part and a part for each case: 30s + 10ms*n")
        }
    }

    public func cost(of cases: Int) -> Duration { fixed + perCase * cases }

    public var text: String { "\(fixed.text) + \(perCase.text)*n" }
}

/// Every generator of a rehearsal: takes as long as the cost model says, and answers every case.
struct SimulatedGenerator: Generator {
    let cost: GenerationCostModel
    let clock: PipelineClock
    let start: Timestamp
    /// How many cases a batch has that the rule calls full.
    let fullBatch: Int?
    let recorder: SimulationRecorder

    func generate(_ batch: Batch) async throws -> GeneratedBatch {
        let begun = clock.timestamp
        recorder.note(claimed: batch.cases.count)
        try await clock.sleep(for: cost.cost(of: batch.cases.count))
        recorder.note(
            BatchFigures(
                number: batch.number, closedBy: batch.closedBy,
                sealedAt: start.duration(to: batch.sealedAt),
                generation: start.duration(to: begun)..<start.duration(to: clock.timestamp),
                cases: batch.cases.map(\.id),
                fill: fullBatch.map { Double(batch.cases.count) / Double($0) }))
        return GeneratedBatch(
            results: batch.cases.map { _ in .report([]) }, dataAsOf: begun, rowsRead: 0)
    }
}

extension SimulatedGenerator {
    init(_ plan: PipelineRehearsal, _ clock: PipelineClock, _ recorder: SimulationRecorder) {
        self.init(
            cost: plan.cost, clock: clock, start: plan.trace.start,
            fullBatch: plan.definition.stages.lazy.compactMap {
                ($0.settings as? any SealingStage)?.fullBatch
            }.first, recorder: recorder)
    }
}
