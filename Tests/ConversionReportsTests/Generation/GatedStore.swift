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
    func positions(
        of source: String, initial: [Int32: Int64]
    ) async throws -> [Int32: Int64] { try await inner.positions(of: source, initial: initial) }
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
