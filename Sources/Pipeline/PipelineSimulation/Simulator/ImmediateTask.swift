internal import Synchronization

/// Runs asynchronous code that never waits for anything, to its end, on the calling thread.
///
/// For the world's own looks into a store, between two jobs of the simulation.
public enum ImmediateTask {
    /// - Throws: what `body` throws. Traps if it waits.
    public static func run<T: Sendable>(
        _ body: @escaping @concurrent @Sendable () async throws -> T
    ) throws -> T {
        let executor = ImmediateExecutor()
        let result = Answer<T>()
        _ = Task(executorPreference: executor) {
            do {
                let value = try await body()
                result.set(.success(value))
            } catch {
                result.set(.failure(error))
            }
        }
        executor.drain()
        guard let answer = result.value else { preconditionFailure("it waited for something") }
        return try answer.get()
    }
}

private final class Answer<T: Sendable>: Sendable {
    private let state = Mutex<Result<T, any Error>?>(nil)
    var value: Result<T, any Error>? { state.withLock { $0 } }
    func set(_ value: Result<T, any Error>) { state.withLock { $0 = value } }
}

private final class ImmediateExecutor: TaskExecutor {
    private let jobs = Mutex<[UnownedJob]>([])

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
    }

    func drain() {
        while let job = jobs.withLock({ $0.popLast() }) {
            unsafe job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
