internal import PipelineCore
internal import Synchronization

/// How a pipeline is, for those who ask whether its process can do its work.
final class RunCondition: Sendable {
    private struct State {
        var isPrepared = false
        var hindrance: PipelineError?
        /// When that is no news any more; `nil` while it is tried again.
        var lapsesAt: Instant?
    }
    /// How long a failure is told of after the last try.
    static let memory: Duration = .seconds(10)

    private let state = Mutex(State())

    func prepared() { state.withLock { $0.isPrepared = true } }

    /// Something fails and is tried again; `nil` when it has succeeded.
    func hindered(by error: PipelineError?) {
        state.withLock { state in
            state.hindrance = error
            state.lapsesAt = nil
        }
    }

    /// It is not tried again, because nobody waits for it any more: whoever comes next finds out. A process that went on
    /// saying that it can't work would be sent nobody, and never find out.
    func gaveUp(at now: Instant) { state.withLock { $0.lapsesAt = now.advanced(by: Self.memory) } }

    /// `nil` while all is well.
    func problem(at now: Instant) -> String? {
        state.withLock { state in
            if let hindrance = state.hindrance, state.lapsesAt.map({ now < $0 }) ?? true {
                return hindrance.message
            }
            return state.isPrepared ? nil : "is starting"
        }
    }
}
