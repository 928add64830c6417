internal import Concurrency
internal import Logging
internal import PipelineCore

/// Runs what stands before the barrier: a task a stage, bounded hand-offs between them.
struct Head: Sendable {
    /// A chunk on its way; with outcomes once a generator has answered it.
    private struct Item: Sendable {
        var chunk: Chunk
        var outcomes: OutcomeBatch?
    }

    /// Chunks that wait between two stages: enough to keep both busy, few enough to bound memory.
    static let handOffCapacity = 2

    /// A member of a group that pauses keeps the others waiting as soon as their assignment
    /// changes.
    private static let longestReadingPause: Duration = .seconds(5)

    let graph: PipelineGraph
    /// Settles what has passed the head; without it, a chunk settles then.
    let barrier: RunningBarrier?
    /// Where there is a barrier.
    let gate: IntakeGate?
    /// Whether this process does what is behind the barrier as well.
    let hasTail: Bool
    let environment: RunEnvironment

    /// Returns when every source has ended, by itself or by the stop, and what it sent has settled.
    func run() async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for case .transform(let transform) in graph.head.map(\.role) {
                group.addTask {
                    do { try await transform.run() } catch is CancellationError {}
                    return false
                }
            }
            group.addTask {
                try await pump()
                return true
            }
            while let isFinished = try await group.next(), !isFinished {}
            group.cancelAll()
        }
        await close()
    }

    /// Returns when every source has ended and what it sent has settled.
    private func pump() async throws {
        let channels = (0...graph.head.count).map { _ in
            Channel<Item>(capacity: Self.handOffCapacity)
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { channels[0].finish() }
                try await runSources(into: channels[0])
            }
            for (index, node) in graph.head.enumerated() {
                group.addTask {
                    defer { channels[index + 1].finish() }
                    try await environment.watched(node.id) { environment in
                        try await run(
                            node, environment, from: channels[index], into: channels[index + 1])
                    }
                }
            }
            group.addTask {
                try await environment.watched("accept") {
                    try await settle(from: channels[graph.head.count], $0)
                }
            }
            try await group.waitForAllOrFirstFailure()
        }
    }

    /// Lets go of what sources and sinks hold, side by side: one that hangs keeps no other from its
    /// farewell.
    func close() async {
        await withTaskGroup(of: Void.self) { group in
            for source in graph.sources.flatMap(\.role) {
                group.addTask { await source.close() }
            }
            for role in graph.head.map(\.role) {
                switch role {
                case .recordSink(let sink): group.addTask { await sink.close() }
                case .outcomeSink(let sink): group.addTask { await sink.close() }
                case .transform, .buffer, .worker: break
                }
            }
        }
    }

    private func runSources(into channel: Channel<Item>) async throws {
        let sources = graph.sources.flatMap { node in
            node.role.enumerated().map { (node.id, $0.offset, $0.element) }
        }
        _ = try await environment.unlessStopped {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (id, index, source) in sources {
                    group.addTask {
                        guard let gate else {
                            return try await read(source, index, of: id, into: channel)
                        }
                        try await gate.ended.reading(
                            id, clock: environment.clock, isDone: isDone
                        ) { try await read(source, index, of: id, into: channel) }
                    }
                }
                try await group.waitForAllOrFirstFailure()
            }
        }
    }

    /// Reads one input to its end.
    private func read(
        _ source: any Source, _ index: Int, of stage: String, into channel: Channel<Item>
    ) async throws {
        let condition = environment.condition
        let name = "stage \(stage), input \(index + 1)"
        let outlet = Outlet { chunk in
            condition.input(name, standsStillFor: nil)
            try await gate?.pass(stage)
            environment.observer.passed(
                stage: stage, records: chunk.records.count, took: .zero)
            try await channel.send(Item(chunk: withDeadlines(chunk)))
        }
        try await environment.restarting(
            "stage \(stage): read", longest: Self.longestReadingPause,
            whileFailing: { condition.input(name, standsStillFor: $0) }
        ) { try await source.run(into: outlet) }
    }

    /// Whether nothing is left to do for what the sources have sent.
    private func isDone() async throws -> Bool {
        guard let barrier, hasTail else { return true }
        return try await environment.retrying("look whether all is done") {
            try await barrier.ledger.isIdle()
        }
    }

    /// Where no ledger does, what names no deadline of its own gets the pipeline's promise as it
    /// comes in: rules of time and the count of late answers go by it.
    private func withDeadlines(_ chunk: Chunk) -> Chunk {
        guard let sla = graph.sla, graph.tail == nil else { return chunk }
        let deadline = environment.clock.timestamp.advanced(by: sla)
        var chunk = chunk
        for index in chunk.records.indices where chunk.records[index].deadline == nil {
            chunk.records[index].deadline = deadline
        }
        return chunk
    }

    private func run(
        _ node: PipelineGraph.Node<PipelineGraph.HeadStage>, _ environment: RunEnvironment,
        from input: Channel<Item>, into output: Channel<Item>
    ) async throws {
        if case .buffer(let buffer) = node.role {
            let outlet = Outlet { try await output.send(Item(chunk: $0)) }
            return try await buffer.run(
                receiving: { try await input.receive()?.chunk }, into: outlet)
        }
        while let item = try await input.receive() {
            let start = environment.clock.now
            // A transform may wait for what came before to settle, which others decide.
            var environment = environment
            if case .transform = node.role { environment = environment.beside }
            defer { environment.loop?.rests() }
            do {
                let passed = try await environment.retrying("stage \(node.id)") {
                    try await pass(item, through: node, environment)
                }
                environment.loop?.rests()
                environment.observer.passed(
                    stage: node.id, records: passed.chunk.records.count,
                    took: start.duration(to: environment.clock.now))
                try await output.send(passed)
            } catch let error as PipelineError where error.disposition == .fenced {
                environment.giveUp(item.chunk, error, at: node.id)
            }
        }
    }

    private func pass(
        _ item: Item, through node: PipelineGraph.Node<PipelineGraph.HeadStage>,
        _ environment: RunEnvironment
    ) async throws -> Item {
        var item = item
        switch node.role {
        case .transform(let transform): item.chunk = try await transform.process(item.chunk)
        case .worker(let generator):
            item.outcomes = try await DirectGeneration(
                stage: node.id, generator: generator, environment: environment
            ).answer(item.chunk)
        case .recordSink(let sink): try await sink.deliver(item.chunk)
        case .outcomeSink(let sink):
            guard let outcomes = item.outcomes else {
                throw PipelineError.fatal(
                    .misplacedStage, "stage \(node.id) delivers outcomes, and nothing makes any")
            }
            let refused = try outcomes.checked(try await sink.deliver(outcomes), by: node.id)
            try await item.chunk.acknowledgement.reject(
                refused.map { try item.chunk.rejection($0, by: node.id) })
        case .buffer:
            throw PipelineError.fatal(
                .misplacedStage, "stage \(node.id) keeps chunks, and can't be handed one by one")
        }
        return item
    }

    private func settle(
        from channel: Channel<Item>, _ environment: RunEnvironment
    ) async throws {
        guard let barrier else {
            while let item = try await channel.receive() {
                item.chunk.acknowledgement.settle(.acknowledged)
            }
            return
        }
        let loop = AcceptLoop(barrier: barrier, environment: environment, blocked: blocked) {
            channel.poll()?.chunk
        }
        try await loop.run { try await channel.receive()?.chunk }
    }

    /// Tells every source what keeps the pipeline from taking in what it sends.
    func blocked(by error: PipelineError?) {
        environment.condition.blocked(by: error, at: environment.clock.now)
        for node in graph.sources {
            let error = error ?? gate?.error(of: node.id)
            for source in node.role { source.blocked(by: error) }
        }
    }
}

extension RunEnvironment {
    /// Another process has taken over, or nothing takes a dead letter: the source goes on from what
    /// is stored.
    func giveUp(_ chunk: Chunk, _ error: PipelineError, at stage: String) {
        logger.notice(
            "chunk given up: its input is read again from what is stored",
            metadata: ["stage": "\(stage)", "error": "\(error)"])
        chunk.acknowledgement.settle(.failed(error))
    }
}

extension Chunk {
    /// - Throws: ``PipelineError`` `sink-mismatch`, fatal, for a case that the chunk does not have
    ///   (any more).
    fileprivate func rejection(
        _ refusal: OutcomeRefusal, by stage: String
    ) throws(PipelineError) -> Rejection {
        // Without a ledger, a case's number is its record's place in the chunk.
        guard let index = Int(exactly: refusal.caseNumber), records.indices.contains(index) else {
            throw .fatal(
                .sinkMismatch,
                "stage \(stage) refuses case \(refusal.caseNumber), which it was not given")
        }
        return Rejection(
            records[index], stage: stage, code: refusal.code, reason: refusal.reason)
    }
}
