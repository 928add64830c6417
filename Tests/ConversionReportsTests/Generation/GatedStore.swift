import ConversionReports
import PipelineCore
import PipelineTesting

/// A store whose reads pass a gate.
struct GatedStore: ReportStore {
    let inner: any ReportStore
    let gate: GenerationGate

    func read(_ queries: [ConversionQuery]) async throws -> ConversionReading {
        try await gate.pass(queries.map(\.productID))
        return try await inner.read(queries)
    }

    func migrate() async throws { try await inner.migrate() }
    func append(_ events: EventBatch, advances: [PositionAdvance]) async throws {
        try await inner.append(events, advances: advances)
    }
    func tryAppending(_ events: EventBatch) async throws { try await inner.tryAppending(events) }
    func fold(limit: Int) async throws -> FoldResult { try await inner.fold(limit: limit) }
    func owned(byPipeline pipeline: String, stage: String) -> any ReportStore {
        GatedStore(inner: inner.owned(byPipeline: pipeline, stage: stage), gate: gate)
    }
    func positions(
        of log: LogName, initial: [Int32: Int64]
    ) async throws -> StoredPositions { try await inner.positions(of: log, initial: initial) }
    func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws {
        try await inner.keep(witnesses, of: source)
    }
    func restart(
        _ log: LogName, after source: String, at starts: [Int32: Int64]
    ) async throws { try await inner.restart(log, after: source, at: starts) }
}

/// Time on which nobody sleeps: it jumps to where they want to wake up.
final class JumpingTime: TimeSource {
    private let manual = ManualClock()
    var now: Instant { manual.now }
    var timestamp: Timestamp { manual.timestamp }

    func sleep(until deadline: Instant) async throws {
        try Task.checkCancellation()
        manual.advance(by: max(.zero, now.duration(to: deadline)))
    }
}
