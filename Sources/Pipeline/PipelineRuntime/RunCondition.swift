internal import PipelineCore
internal import Synchronization

/// How a pipeline is, for those who ask whether its process can do its work.
final class RunCondition: Sendable {
    private struct State {
        var isPrepared = false
        var hindrance: PipelineError?
    }
    private let state = Mutex(State())

    func prepared() { state.withLock { $0.isPrepared = true } }

    /// Something fails and is tried again; `nil` when it has succeeded.
    func hindered(by error: PipelineError?) { state.withLock { $0.hindrance = error } }

    /// `nil` while all is well.
    var problem: String? {
        state.withLock { $0.hindrance?.message ?? ($0.isPrepared ? nil : "is starting") }
    }
}
