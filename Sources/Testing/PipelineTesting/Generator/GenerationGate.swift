internal import Concurrency
internal import PipelineCore
internal import Synchronization

/// Where a generator under test passes before it reads its store: lets a check hold a run, or fail
/// it.
public final class GenerationGate: Sendable {
    /// A closed gate, and what happened at it.
    struct Hold: Sendable {
        /// Set when a run has come.
        let reached = AsyncEvent()
        /// Set when a run that waited was cancelled.
        let cancelled = AsyncEvent()
        fileprivate let released = AsyncEvent()

        fileprivate func release() { released.set() }
    }

    private struct State {
        var holds: [String: Hold] = [:]
        var refusals: [String: PipelineError] = [:]
    }
    private let state = Mutex(State())

    public init() {}

    /// Waits while the gate is closed for one of the products; throws what a check has set for one.
    ///
    /// To be called by the store of the generator under test, once for each run.
    ///
    /// - Parameter products: those that the run asks for.
    public func pass(_ products: [String]) async throws {
        let (hold, refusals) = state.withLock { state in
            (products.compactMap { state.holds[$0] }.first, state.refusals)
        }
        if let hold {
            hold.reached.set()
            do { try await hold.released.wait() } catch {
                hold.cancelled.set()
                throw error
            }
        }
        for product in products {
            if let refusal = refusals[product] { throw refusal }
        }
    }

    /// Holds every run that asks for the product.
    func close(for product: String) -> Hold {
        let hold = Hold()
        state.withLock { $0.holds[product] = hold }
        return hold
    }

    /// Lets those runs pass again.
    func open(for product: String) {
        state.withLock { $0.holds.removeValue(forKey: product) }?.release()
    }

    /// Fails runs that ask for the product; `nil` lets them pass again.
    func refuse(_ product: String, with error: PipelineError?) {
        state.withLock { $0.refusals[product] = error }
    }
}
