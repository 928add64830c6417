import PipelineCore
import PipelineSimulation
import SQLite
import Synchronization

/// Looks at the shared store after every call that changed it, and at the whole world in the end.
///
/// What it finds is a promise that was broken at this very moment, so that the history's tail shows
/// how.
final class Audit: Sendable {
    struct StoredBatch: Sendable {
        var number: Int64
        var token: Int64
        var availableAt: Int64
        var isCommitted: Bool
        var closedBy: String
        var cases: [Int64]
    }
    struct StoredOutcome: Sendable, Equatable {
        var id: UUID
        var caseNumber: Int64
        var batch: Int64
        var state: String
        var answer: String
    }
    struct State: Sendable {
        var violations: [String] = []
        var changes: Int64 = -1
        var isIdle = false
        // Looked up, never iterated.
        var batches: [Int64: StoredBatch] = [:]
        var lastBatch: Int64 = 0
        var batchOfCase: [Int64: Int64] = [:]
        var lastCase: Int64 = 0
        var deadlines: [Int64: Int64] = [:]
        var digests: [UUID: Digest] = [:]
        var outcomes: [Int64: StoredOutcome] = [:]
        var outcomeCount = 0
        /// By partition of the topic of requests: the stored position up to which every record has
        /// been accounted for.
        var verified: [Int64] = []
        var deadLetters: Set<String> = []
        var deadLettersRead: [Int] = []
        /// Announcements by their event id: their bytes.
        var announced: [String: Bytes] = [:]
        var announcedRead: [Int] = []
    }

    let simulator: Simulator
    let plan: WorldPlan
    let bus: SimulatedBus
    private let state = Mutex(State())
    private let database = Mutex<SQLiteDatabase?>(nil)

    init(simulator: Simulator, plan: WorldPlan, bus: SimulatedBus) {
        self.simulator = simulator
        self.plan = plan
        self.bus = bus
    }

    func watch(_ database: SQLiteDatabase) { self.database.withLock { $0 = database } }

    var violations: [String] { state.withLock { $0.violations } }
    /// Nothing waits, nothing is generated, nothing is to be delivered, every request has been
    /// read.
    var isIdle: Bool {
        // Of a record that has just arrived no call of the store has told yet.
        state.withLock { $0.isIdle && $0.verified == bus.ends(of: "requests") }
    }

    func report(_ violation: String) {
        simulator.log("VIOLATION \(violation)")
        state.withLock { $0.violations.append(violation) }
    }

    /// Takes note of a call of the store that has been done.
    func look(after operation: LedgerOperation, succeeded: Bool) {
        guard let database = database.withLock({ $0 }) else { return }
        do {
            let found = try ImmediateTask.run { [self] in
                try await database.read { [self] connection in
                    try state.withLock { state in
                        let known = state.violations.count
                        try look(&state, connection, operation, succeeded)
                        return Array(state.violations[known...])
                    }
                }
            }
            for violation in found { simulator.log("VIOLATION \(violation)") }
        } catch {
            report("the audit can't read the store: \(error)")
        }
    }

    private func look(
        _ state: inout State, _ connection: SQLiteConnection, _ operation: LedgerOperation,
        _ succeeded: Bool
    ) throws {
        readBus(&state)
        if case .delivered(let batch, let sink) = operation, succeeded, sink == "ready" {
            try checkAnnounced(&state, connection, batch)
        }
        if case .commit(let batch, let token) = operation, succeeded {
            checkToken(&state, batch, token)
        }
        let changes = try connection.first("SELECT total_changes()") { $0.int64(0) } ?? 0
        if changes == state.changes { return }
        state.changes = changes
        try readCases(&state, connection)
        try readBatches(&state, connection, operation)
        try readOutcomes(&state, connection)
        try checkPositions(&state, connection)
        state.isIdle = try isIdle(state, connection)
    }

    private func isIdle(_ state: State, _ connection: SQLiteConnection) throws -> Bool {
        let open = try connection.first(
            """
            SELECT (SELECT count(*) FROM ledger_pending)
              + (SELECT count(*) FROM ledger_batches WHERE committed_at IS NULL)
              + (SELECT count(*) FROM ledger_deliveries WHERE delivered_at IS NULL)
            """
        ) { $0.int(0) }
        return open == 0 && state.verified == bus.ends(of: "requests")
    }

    /// Looks at everything once more, from the beginning.
    func finish(accepted: [UUID]) {
        guard let database = database.withLock({ $0 }) else { return }
        do {
            try ImmediateTask.run { [self] in
                try await database.read { [self] connection in
                    try state.withLock { state in
                        readBus(&state)
                        try checkEnd(&state, connection, accepted)
                    }
                }
            }
        } catch {
            report("the audit can't read the store: \(error)")
        }
    }
}
