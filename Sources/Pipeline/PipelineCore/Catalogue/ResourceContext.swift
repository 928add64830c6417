public import Logging

/// What a resource is made with.
public struct ResourceContext: Sendable {
    public var clock: PipelineClock
    public var random: RandomSource
    public var logger: Logger
    /// Whether this process runs pipelines, and so may claim what only one process may hold.
    public var isRunning: Bool
    public init(clock: PipelineClock, random: RandomSource, logger: Logger, isRunning: Bool) {
        self.clock = clock
        self.random = random
        self.logger = logger
        self.isRunning = isRunning
    }
}
