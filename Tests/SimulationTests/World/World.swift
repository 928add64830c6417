import Calendar
import Logging
import PipelineCore
import PipelineSimulation
import SQLite
import SQLiteLedger
import Synchronization

/// Worker processes on one bus, one store and one cache, with traffic and faults.
final class World: Sendable {
    struct State: Sendable {
        /// By slot: the process that runs there now.
        var live: [Worker?]
        var all: [SimulatedProcess] = []
        /// How many processes have been killed.
        var kills = 0
        var isOver = false
    }
    let plan: WorldPlan
    let simulator: Simulator
    let bus: SimulatedBus
    let cache: SimulatedCache
    let database: SQLiteDatabase
    let audit: Audit
    let clients: Clients
    let state: Mutex<State>
    /// See ``RecordingLedger/fault``.
    private let fault: @Sendable (_ operation: String) throws -> Void

    init(
        plan: WorldPlan, seed: UInt64,
        fault: @escaping @Sendable (_ operation: String) throws -> Void = { _ in }
    ) {
        self.fault = fault
        var plan = plan
        self.simulator = Simulator(seed: seed, slack: .milliseconds(2))
        let time = PipelineClock(WorldTime(simulator))
        let end = time.now.advanced(by: plan.horizon)
        plan.conditions.faultsEnd = end
        var storeConditions = plan.conditions
        for _ in 0..<plan.outages {
            let start = time.now.advanced(by: simulator.duration(.zero...plan.horizon))
            storeConditions.outages.append(
                start..<start.advanced(by: simulator.duration(.seconds(1) ... .minutes(3))))
        }
        self.plan = plan
        bus = SimulatedBus(clock: time, conditions: plan.conditions)
        cache = SimulatedCache(clock: time, conditions: plan.conditions)
        let audit = Audit(simulator: simulator, plan: plan, bus: bus)
        self.audit = audit
        let store = SimulatedStore(conditions: storeConditions) {
            let operation = LedgerOperation.current
            return { audit.look(after: operation, succeeded: $0) }
        }
        database = SQLiteDatabase(path: ":memory:", worker: { store })
        clients = Clients(simulator: simulator, audit: audit)
        state = Mutex(State(live: Array(repeating: nil, count: plan.workers)))
    }

    /// Runs the world to its end.
    func run(_ traffic: Traffic) -> Verdict {
        do {
            try ImmediateTask.run { [self] in try await provider.migrateLedger() }
        } catch {
            audit.report("no tables: \(error)")
        }
        bus.create("requests", partitions: plan.partitions)
        bus.create("ready", partitions: 2)
        audit.watch(database)
        for slot in 0..<plan.workers { boot(slot) }
        schedule(traffic)
        scheduleFaults()
        let lastArrival = traffic.arrivals.last?.at ?? simulator.now
        let limit = Instant(nanoseconds: 0).advanced(by: plan.bound)
        var end = simulator.run(until: limit) { [self] in
            !audit.violations.isEmpty
                || simulator.now > lastArrival && audit.isIdle && clients.isIdle
        }
        let finishedAt = simulator.now
        if audit.violations.isEmpty {
            if end == .stopped {
                end = close()
            } else {
                audit.report("not everything is answered (\(end))")
            }
        }
        if audit.violations.isEmpty { audit.finish(accepted: clients.accepted) }
        return verdict(finishedAt)
    }

    private var provider: SQLiteLedgerProvider {
        SQLiteLedgerProvider(
            database: database, clock: PipelineClock(WorldTime(simulator)),
            random: RandomSource(seed: simulator.next()))
    }

    private func verdict(_ finishedAt: Instant) -> Verdict {
        simulator.closeHistory()
        let (all, kills) = state.withLock { state in
            state.isOver = true
            defer { state.live = state.live.map { _ in nil } }
            return (state.all, state.kills)
        }
        var violations = audit.violations
        let history = simulator.history
        for process in all where !process.reap() && violations.isEmpty {
            violations.append("\(process.name) can't be cancelled")
        }
        simulator.discard()
        if simulator.foreignJobs > 0 { violations.append("\(simulator.foreignJobs) jobs escaped") }
        return Verdict(
            violations: violations, history: history, steps: simulator.steps,
            finishedAt: finishedAt, kills: kills)
    }

    /// Starts a process in a slot.
    func boot(_ slot: Int) {
        let number = state.withLock { $0.all.count + 1 }
        let process = SimulatedProcess(
            "w\(slot).\(number)", number: number, in: simulator,
            skew: .milliseconds(simulator.below(4000) - 2000))
        simulator.log("boot \(process.name)")
        do {
            let worker = try worker(in: process)
            state.withLock { state in
                state.live[slot] = worker
                state.all.append(process)
            }
            process.start({ try await worker.main() }) { [self] error in
                ended(slot, process, error)
            }
        } catch {
            audit.report("\(process.name) can't be built: \(error)")
        }
    }

    private func worker(in process: SimulatedProcess) throws -> Worker {
        var provider = RecordingLedgerProvider(inner: provider, process: process) {
            [simulator, plan] in
            guard simulator.now.nanoseconds < plan.horizon.wholeNanoseconds,
                simulator.chance(plan.stalls)
            else { return }
            let pause = simulator.duration(.seconds(1)...plan.lease * 2)
            simulator.log("stall \(process.name) \(pause)")
            await process.stall(for: pause)
        }
        provider.fault = fault
        return try Worker(
            process: process, plan: plan,
            resources: ["bus": bus, "cache": cache, "store": provider])
    }

    private func ended(_ slot: Int, _ process: SimulatedProcess, _ error: (any Error)?) {
        if state.withLock({ $0.isOver }) { return }
        simulator.log("exit \(process.name) \(error.map { "\($0)" } ?? "")")
        if let error { audit.report("\(process.name) gave up: \(error)") }
        restart(slot, process)
    }

    /// A supervisor starts another one after a while.
    func restart(_ slot: Int, _ process: SimulatedProcess) {
        let wasThere = state.withLock { state in
            guard !state.isOver, state.live[slot]?.process === process else { return false }
            state.live[slot] = nil
            return true
        }
        guard wasThere else { return }
        simulator.schedule(after: simulator.duration(.seconds(1) ... .seconds(30))) { [self] in
            if !state.withLock({ $0.isOver }) { boot(slot) }
        }
    }

    /// Stops everything gently, which must not take longer than the grace.
    private func close() -> Simulator.End {
        let workers = state.withLock { state in
            state.isOver = true
            return state.live.compactMap(\.self)
        }
        for worker in workers { worker.stop() }
        let limit = simulator.now.advanced(by: .minutes(10))
        let end = simulator.run(until: limit) {
            workers.allSatisfy { !$0.process.isAlive }
        }
        for worker in workers where worker.process.isAlive {
            audit.report("\(worker.process.name) does not stop (\(end))")
        }
        return end
    }
}

/// What came of a world.
struct Verdict: Sendable {
    var violations: [String]
    var history: History
    var steps: Int
    var finishedAt: Instant
    var kills: Int

    /// What is wrong, with the end of the history; `nil` if nothing is.
    var failure: String? {
        if violations.isEmpty { return nil }
        return violations.joined(separator: "\n") + "\n\(history.tail(60))"
    }
}

/// Writes what a simulated process logs into the world's history.
struct HistoryLogHandler: LogHandler {
    var logLevel: Logger.Level = .debug
    var metadata: Logger.Metadata = [:]
    let process: SimulatedProcess

    func log(
        level: Logger.Level, message: Logger.Message, metadata: Logger.Metadata?, source: String,
        file: String, function: String, line: UInt
    ) {
        let all = self.metadata.merging(metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let values = all.map { " \($0.key)=\($0.value)" }.joined()
        process.simulator.log("\(process.name) \(level) \(message)\(values)")
    }
}
