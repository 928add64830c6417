internal import Ledger
internal import PipelineCore
internal import PipelineSimulation
internal import SQLite
internal import SQLiteLedger

/// Stands in for every bus and store: topics and ledgers in memory, and a table that only counts.
struct StandInStore: Bus, LedgerProvider, RecordStore {
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
    func sink(for kind: RecordKind, context: StageContext) throws -> any RecordSink { Bin() }

    func probe() async throws {}
    func close() async {}
}

/// Takes everything; the runtime's observer has counted it.
private struct Bin: RecordSink {
    func deliver(_ chunk: Chunk) async throws {}
}
