internal import PipelineCore

/// Asks now and then for what waits for an operator, for metrics: figures that other processes change, too.
struct FiguresLoop: Sendable {
    /// How often.
    static let interval = Duration.seconds(15)

    let graph: PipelineGraph
    let environment: RunEnvironment

    func run() async throws {
        if graph.tail == nil, graph.deadLetters == nil { return }
        _ = try await environment.unlessStopped {
            while true {
                do {
                    try await look()
                } catch let error as PipelineError where error.disposition != .fatal {
                    // Others say that the store is away; old figures would be wrong ones.
                    environment.observer.figures(parked: nil, deadLetters: nil)
                }
                try await environment.clock.sleep(for: Self.interval)
            }
        }
    }

    private func look() async throws {
        var parked: [String: Int] = [:]
        for sink in graph.tail?.sinks ?? [] { parked[sink.id] = 0 }
        parked.merge(try await graph.tail?.barrier.role.ledger.parkedCounts() ?? [:]) { $1 }
        environment.observer.figures(
            parked: parked, deadLetters: try await graph.deadLetters?.deadLetterCounts())
    }
}
