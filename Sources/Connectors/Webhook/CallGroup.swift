internal import Concurrency
internal import PipelineCore
internal import Synchronization

/// Calls that somebody waits for together: they have come to their end when all are answered.
final class CallGroup: Sendable {
    private struct State {
        var answers: [WebhookAnswer?]
        var left: Int
        var isEnded = false
    }
    private let state: Mutex<State>
    private let result = FirstResult<[WebhookAnswer]>()

    init(of count: Int) {
        state = Mutex(State(answers: Array(repeating: nil, count: count), left: count))
    }

    /// Whether nobody waits any more.
    var isEnded: Bool { state.withLock { $0.isEnded } }

    /// Returns once it has ended. Once only.
    func wait() async throws -> [WebhookAnswer] { try await result.wait() }

    /// - Parameter index: of the call in its group, each once.
    func answer(_ index: Int, _ answer: WebhookAnswer) {
        let answers = state.withLock { state -> [WebhookAnswer]? in
            state.answers[index] = answer
            state.left -= 1
            guard state.left == 0 else { return nil }
            state.isEnded = true
            return state.answers.compactMap(\.self)
        }
        if let answers { result.give(.success(answers)) }
    }

    /// Ends it before its calls are all answered.
    func end(_ error: any Error) {
        state.withLock { $0.isEnded = true }
        result.give(.failure(error))
    }
}

/// A call of a group, on its way.
struct PendingCall: Sendable {
    let call: WebhookCall
    let index: Int
    let group: CallGroup
}
