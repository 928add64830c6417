public import Ledger
public import PipelineCore

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
        + reading
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
