internal import Concurrency
internal import PipelineCore
internal import Synchronization

/// Keeps a lease alive while work is done under it, and hands it back when the work is broken off.
struct LeaseKeeper: Sendable {
    /// How long the work may take to end once it has been cancelled, and handing back its lease
    /// after that: together less than what a process has left when its grace is over.
    private static let patience: Duration = .milliseconds(700)

    let stage: String
    let lease: Duration
    let environment: RunEnvironment
    let extend: @Sendable () async throws -> Void
    /// Lets the work be claimed again at once; nobody has failed it.
    let handBack: @Sendable () async throws -> Void

    /// Runs `body`, extending the lease three times in its length.
    ///
    /// A stop whose grace is over, and a fatal error here or elsewhere, would leave the lease to
    /// run out: it is handed back then, even while a `body` that does not listen to its
    /// cancellation goes on. Its token is spent, so that whatever it still writes is refused.
    /// - Throws: what `body` throws; `fenced` as soon as an extension is refused, `body` is
    ///   cancelled then.
    func holding<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
        let work = Work()
        environment.observer.holds(stage: stage, more: 1)
        defer { environment.observer.holds(stage: stage, more: -1) }
        return try await withThrowingTaskGroup(of: T?.self) { group in
            group.addTask {
                defer { work.ended.set() }
                do {
                    let result = try await body()
                    work.keepsLease.withLock { $0 = true }
                    return result
                } catch let error as PipelineError where error.disposition != .fatal {
                    // It has said itself what becomes of the lease, or has lost it.
                    work.keepsLease.withLock { $0 = true }
                    throw error
                }
            }
            group.addTask {
                do { try await extending() } catch is CancellationError {
                    await handBack(after: work)
                    throw CancellationError()
                }
                return nil
            }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw CancellationError()
        }
    }

    private func extending() async throws {
        while true {
            try await environment.clock.sleep(for: lease / 3)
            try await environment.retrying("extend a lease") { try await extend() }
        }
    }

    private func handBack(after work: Work) async {
        // The usual end: the work is done, and that is why nothing is to be extended any more.
        if work.keepsLease.withLock({ $0 }) { return }
        await withoutCancellation {
            await within(Self.patience) { try await work.ended.wait() }
            if work.keepsLease.withLock({ $0 }) { return }
            await within(Self.patience) { try await handBack() }
        }
    }

    /// Gives up after a time; what fails stays undone, and the lease runs out.
    private func within(
        _ limit: Duration, _ body: @escaping @Sendable () async throws -> Void
    ) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await body() }
            group.addTask { try? await environment.clock.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
    }

    private final class Work: Sendable {
        let ended = AsyncEvent()
        let keepsLease = Mutex(false)
    }
}
