internal import Concurrency
internal import Logging
public import PipelineCore
internal import Synchronization

/// Which parts of a pipeline a process runs.
public enum RunRole: String, Sendable, CaseIterable {
    /// Everything.
    case all
    /// The head, callers included: reads and accepts, seals and generates nothing.
    case api
    /// The head without callers, and the tail.
    case worker
}

/// One pipeline, running.
public struct PipelineRun: Sendable {
    /// How often a pipeline whose inputs have all ended looks whether it is done.
    private static let idleCheck: Duration = .milliseconds(250)

    private let graph: PipelineGraph
    private let role: RunRole
    /// Stops this pipeline; opened by the process's stop, or when all is done.
    private let environment: RunEnvironment
    private let processStop: AsyncEvent
    private let drain: DrainLimit
    private let barrier: RunningBarrier?
    private let gate: IntakeGate?

    public init(_ graph: PipelineGraph, role: RunRole, environment: RunEnvironment) {
        self.graph = graph
        self.role = role
        processStop = environment.stop
        drain = DrainLimit(environment.grace)
        var own = environment
        own.stop = AsyncEvent()
        self.environment = own
        let barrier = graph.tail.map { RunningBarrier($0.barrier, environment: own) }
        self.barrier = barrier
        gate = barrier.map { IntakeGate(graph, barrier: $0, environment: own) }
    }

    /// Has the ledger look at the pipeline's names before anything is begun, if it answers in time;
    /// otherwise that is done when it runs.
    ///
    /// - Throws: ``PipelineError`` `state-unowned` when they strand what the ledger holds.
    public func refuseNames(within limit: Duration) async throws {
        guard let barrier else { return }
        let clock = environment.clock
        let refusal: PipelineError?? = await abandoned(
            after: { try await clock.sleep(for: limit) }
        ) {
            do { _ = try await barrier.ledger.register() } catch let error as PipelineError
                where error.code == .stateUnowned
            { return error } catch {}
            return nil
        }
        if let error = refusal ?? nil { throw error }
    }

    /// Runs until the stop, or until every input has ended and everything is delivered.
    ///
    /// On the stop, sources end, what is in flight settles within the grace, and nothing waits for
    /// a trigger. What has not settled by then is delivered again next time.
    /// - Throws: ``PipelineError`` when the pipeline can't go on.
    public func run() async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await work()
                return true
            }
            group.addTask {
                do {
                    try await processStop.wait()
                    environment.stop.set()
                    try await environment.clock.sleep(for: drain.limit)
                } catch is CancellationError {
                    return true
                }
                return false
            }
            let finishedInTime = try await group.next() ?? true
            group.cancelAll()
            if finishedInTime { return }
            environment.logger.warning(
                "the grace is over: what has not settled will be delivered again",
                metadata: ["pipeline": "\(graph.name)"])
            while let result = await group.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) { throw error }
            }
        }
    }

    /// The pipeline's name.
    public var name: String { graph.name }

    /// Why it does not run, or not as it should; `nil` while all is well.
    public var problem: String? { environment.condition.problem(at: environment.clock.now) }

    /// A backend has answered what it was asked then: what had failed for its sake before is no
    /// problem any more, whenever it is tried again.
    public func answered(_ backend: Backend, askedAt: Instant) {
        if environment.condition.hasHealed(backend, askedAt: askedAt) { head.blocked(by: nil) }
    }

    /// Which of its inputs are not read, and why; `nil` while all are, or while what they are read
    /// from is out of reach.
    public var inputProblem: String? { environment.condition.inputProblem }

    /// What does not get on although work waits for it, and for how long; `nil` while all does.
    ///
    /// - Parameter since: what the pipeline uses can be reached since then: an outage is not its
    ///   own fault.
    public func stuck(at now: Instant, reachableSince since: Instant) -> String? {
        environment.progress.stuck(at: now, reachableSince: since)
    }

    /// Whether its ledger has taken note of it; so that it can work once everything is there.
    public var isPrepared: Bool { environment.condition.isPrepared }

    /// What answers batches in this role, by its stage.
    public var generators: [(stage: String, generator: any Generator)] {
        var found = graph.head.compactMap { node in
            if case .worker(let generator) = node.role { (node.id, generator) } else { nil }
        }
        if role != .api, let generator = graph.tail?.generator {
            found.append((generator.id, generator.role))
        }
        return found
    }

    /// Waits until its ledger has taken note of it.
    public func prepared() async throws { try await environment.condition.hasPrepared.wait() }

    /// Asks the pipeline to stop.
    ///
    /// - Parameter limit: how long what is in flight may take to settle, if that is less than the
    ///   grace: what has not by then is handed back.
    public func stop(within limit: Duration? = nil) {
        if let limit { drain.shorten(to: limit) }
        processStop.set()
    }

    private func work() async throws {
        guard let tail = graph.tail, let barrier, let gate else {
            environment.condition.prepared()
            guard graph.deadLetters != nil || environment.letters != nil, role != .api else {
                return try await named("head") { _ in try await head.run() }
            }
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await named("head") { _ in try await head.run() }
                    environment.stop.set()
                }
                group.addTask {
                    try await FiguresLoop(graph: graph, environment: environment).run()
                }
                try await group.waitForAllOrFirstFailure()
            }
        }
        do {
            guard try await prepare(barrier, gate) else { return await head.close() }
            environment.condition.prepared()
        } catch {
            // Nothing was read, but callers may wait at a source already.
            await head.close()
            throw error
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await gate.watching {
                    try await named("head") { _ in try await head.run() }
                    if role != .api { try await stopWhenIdle(barrier) }
                }
            }
            if role != .api { addTail(tail, behind: barrier, to: &group) }
            try await group.waitForAllOrFirstFailure()
        }
    }

    /// Answers whether the barrier is ready; not if the stop came first.
    private func prepare(
        _ barrier: RunningBarrier, _ gate: IntakeGate
    ) async throws -> Bool {
        let prepared: Bool? = try await environment.unlessStopped {
            try await environment.retrying(
                "stage \(barrier.id): prepare", whileBlocked: head.blocked
            ) {
                tell(try await barrier.ledger.register(), by: barrier.id)
                try await holdUp(barrier)
                try await gate.look()
            }
            return true
        }
        return prepared != nil
    }

    /// Before anything is begun, if that was asked for.
    private func holdUp(_ barrier: RunningBarrier) async throws {
        guard let pause = environment.pauseAtStart, let tail = graph.tail else { return }
        var parts: Set<LedgerPart> = [.sealing]
        parts.formUnion(graph.sources.map { .intake($0.id) })
        if tail.generator != nil { parts.insert(.generation) }
        parts.formUnion(tail.sinks.map { .delivery($0.id) })
        try await barrier.ledger.note("pause of everything: \(pause.reason)", by: pause.actor)
        try await barrier.ledger.pause(parts, reason: "\(pause.reason) (\(pause.actor))")
    }

    private func tell(_ elsewhere: [StageState], by stage: String) {
        for state in elsewhere {
            environment.logger.warning(
                "the store holds open work of a stage that is not among this process's files: nobody works on it unless another process runs its file",
                metadata: [
                    "stage": "\(stage)", "of": "\(state.name)", "holds": "\(state.openWork)",
                    "remedy":
                        "run its file, too; or `penstock migrate --rename \(state.name)=PIPELINE/STAGE`, `--abandon \(state.name)`",
                ])
        }
    }

    private var head: Head {
        Head(
            graph: graph, barrier: barrier, gate: gate, hasTail: role != .api,
            environment: environment)
    }

    private func addTail(
        _ tail: PipelineGraph.Tail, behind barrier: RunningBarrier,
        to group: inout ThrowingTaskGroup<Void, any Error>
    ) {
        let upkeep = SealingLoop(barrier: barrier, environment: environment)
        group.addTask {
            _ = try await named("stage \(barrier.id)") { environment in
                let sealing = SealingLoop(barrier: barrier, environment: environment)
                try await environment.unlessStopped {
                    try await environment.restarting("stage \(barrier.id): seal") {
                        try await sealing.run()
                    }
                }
            }
        }
        group.addTask {
            _ = try await environment.unlessStopped {
                try await environment.restarting("stage \(barrier.id): upkeep") {
                    try await upkeep.runUpkeep()
                }
            }
        }
        group.addTask { try await FiguresLoop(graph: graph, environment: environment).run() }
        if let generator = tail.generator {
            group.addTask {
                try await named("stage \(generator.id)") { environment in
                    try await GenerationLoop(
                        stage: generator.id, barrier: barrier, generator: generator.role,
                        sinks: tail.sinks.map(\.id), environment: environment
                    ).run()
                }
            }
        }
        for sink in tail.sinks {
            group.addTask {
                try await named("stage \(sink.id)") { environment in
                    try await DeliveryLoop(
                        stage: sink.id, barrier: barrier, sink: sink.role, environment: environment
                    ).run()
                }
            }
        }
    }

    /// Runs a loop whose name is told where it hangs.
    private func named<T: Sendable>(
        _ part: String, _ body: (RunEnvironment) async throws -> T
    ) async throws -> T {
        try await environment.openWork.during("\(graph.name), \(part)") {
            try await environment.watched(part, body)
        }
    }

    /// Every input has ended: nothing more will come, so the end of the work is the end of the run.
    private func stopWhenIdle(_ barrier: RunningBarrier) async throws {
        while !environment.stop.isSet {
            let isIdle = try await environment.retrying("look whether all is done") {
                try await barrier.ledger.isIdle()
            }
            if isIdle { return environment.stop.set() }
            _ = try await environment.unlessStopped {
                try await environment.clock.sleep(for: Self.idleCheck)
            }
        }
    }
}

/// How long draining may take, which is known when the stop comes.
private final class DrainLimit: Sendable {
    private let value: Mutex<Duration>
    init(_ grace: Duration) { value = Mutex(grace) }
    var limit: Duration { value.withLock { $0 } }
    func shorten(to limit: Duration) { value.withLock { $0 = min($0, limit) } }
}
