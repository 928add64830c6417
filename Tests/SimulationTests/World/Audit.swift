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

extension Audit {
    func readCases(_ state: inout State, _ connection: SQLiteConnection) throws {
        try connection.forEach(
            "SELECT case_no, deadline, id, digest FROM ledger_cases WHERE case_no > ?1 ORDER BY case_no",
            state.lastCase
        ) { row in
            state.lastCase = row.int64(0)
            state.deadlines[row.int64(0)] = row.int64(1)
            guard let id = row.uuid(2), let digest = row.digest(3) else { return }
            if let known = state.digests[id], known != digest {
                state.violations.append("case \(id) was accepted with two contents")
            }
            state.digests[id] = digest
        }
    }

    /// New batches, and what has become of the open ones.
    func readBatches(
        _ state: inout State, _ connection: SQLiteConnection, _ operation: LedgerOperation
    ) throws {
        var stored: [StoredBatch] = []
        try connection.forEach(
            """
            SELECT batch_no, token, available_at, committed_at IS NOT NULL, closed_by, cases
            FROM ledger_batches WHERE batch_no > ?1 OR committed_at IS NULL ORDER BY batch_no
            """, state.lastBatch
        ) { row in
            stored.append(
                StoredBatch(
                    number: row.int64(0), token: row.int64(1), availableAt: row.int64(2),
                    isCommitted: row.int(3) == 1, closedBy: row.text(4),
                    cases: Self.numbers(row.text(5))))
        }
        if case .bisect(let divided) = operation { forget(divided, &state, stored) }
        let new = stored.filter { $0.number > state.lastBatch }
        for batch in new { checkNew(batch, &state, operation) }
        if case .seal = operation { try checkSealed(new, &state, connection) }
        for batch in stored {
            if case .claim = operation { checkClaim(batch, &state) }
            state.batches[batch.number] = batch
            state.lastBatch = max(state.lastBatch, batch.number)
        }
    }

    private static func numbers(_ text: String) -> [Int64] {
        text.split { !$0.isNumber }.compactMap { Int64($0) }
    }

    /// A batch that was divided frees its cases for its halves.
    private func forget(_ divided: Int64, _ state: inout State, _ stored: [StoredBatch]) {
        guard let known = state.batches[divided], !stored.contains(where: { $0.number == divided })
        else { return }
        for number in known.cases { state.batchOfCase[number] = nil }
        let halves = stored.filter { $0.number > state.lastBatch }.flatMap(\.cases)
        if halves.sorted() != known.cases.sorted() {
            state.violations.append("the halves of batch \(divided) are not its cases")
        }
    }

    private func checkNew(
        _ batch: StoredBatch, _ state: inout State, _ operation: LedgerOperation
    ) {
        for number in batch.cases {
            if let other = state.batchOfCase.updateValue(batch.number, forKey: number) {
                state.violations.append(
                    "case \(number) is in batch \(other) and in batch \(batch.number)")
            }
        }
        if batch.cases.count > plan.maxBatch {
            state.violations.append("batch \(batch.number) has \(batch.cases.count) cases")
        }
        if case .bisect = operation { return }
        let full = min(plan.count, plan.maxBatch)
        if batch.closedBy == "count", batch.cases.count != full {
            state.violations.append(
                "batch \(batch.number), closed by count, has \(batch.cases.count) cases, not \(full)"
            )
        }
    }

    /// Whoever is in a batch that a count has sealed is at least as urgent as who is left.
    private func checkSealed(
        _ new: [StoredBatch], _ state: inout State, _ connection: SQLiteConnection
    ) throws {
        var next =
            try connection.first("SELECT min(deadline) FROM ledger_pending") {
                $0.isNull(0) ? Int64.max : $0.int64(0)
            } ?? .max
        for batch in new.reversed() where batch.closedBy == "count" {
            let deadlines = batch.cases.map { state.deadlines[$0] ?? .max }
            if let latest = deadlines.max(), latest > next {
                state.violations.append("batch \(batch.number) passes over a more urgent case")
            }
            if deadlines != deadlines.sorted() {
                state.violations.append("batch \(batch.number) is not in order of deadlines")
            }
            next = min(next, deadlines.min() ?? .max)
        }
    }

    private func checkClaim(_ batch: StoredBatch, _ state: inout State) {
        guard let known = state.batches[batch.number], known.token != batch.token else { return }
        let now = simulator.timestamp.microseconds
        if known.availableAt > now {
            state.violations.append("batch \(batch.number) was claimed under a living lease")
        }
    }

    func checkToken(_ state: inout State, _ batch: Int64, _ token: Int64) {
        guard let known = state.batches[batch], known.token != token else { return }
        state.violations.append(
            "batch \(batch) was committed under token \(token), the last claim's is \(known.token)")
    }
}
