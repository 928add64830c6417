internal import Concurrency
internal import Ledger
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
        bus = SimulatedBus(clock: clock, weather: .calm)
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
