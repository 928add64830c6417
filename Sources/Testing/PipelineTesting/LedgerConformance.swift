public import Ledger

/// What every ``Ledger`` must do, as named checks to be run against each implementation.
///
/// ```swift
/// @Test(arguments: LedgerConformance.checks)
/// func conforms(_ check: LedgerConformance.Check) async throws {
///     try await check.run { try provider.ledger(for: $0) }
/// }
/// ```
///
/// The checks use the store's own clock and never sleep: what must be over is made to end in the past.
public enum LedgerConformance {
    /// Opens a stage's ledger. Within one check every call means the same store, the same stage given twice stands for
    /// two processes.
    public typealias Open = @Sendable (LedgerStage) async throws -> any Ledger

    public struct Check: Sendable, CustomStringConvertible {
        /// What is promised, as a sentence.
        public let name: String
        let body: @Sendable (LedgerFixture) async throws -> Void

        init(_ name: String, _ body: @escaping @Sendable (LedgerFixture) async throws -> Void) {
            self.name = name
            self.body = body
        }

        public var description: String { name }

        /// - Throws: ``ConformanceFailure`` where the ledger breaks its promise; what the ledger throws unasked.
        public func run(_ open: @escaping Open) async throws {
            try await body(LedgerFixture(open: open))
        }
    }

    /// All of them, in an order that goes from the simple to the composed.
    public static let checks: [Check] =
        accepting + reopening + sealing + revisions + batches + deliveries + reading + concurrency
}
