internal import Synchronization

/// What has begun and not ended yet, by name: so that who has to end a process can say what hangs.
public final class OpenWork: Sendable {
    private struct State {
        var nextNumber: UInt64 = 0
        var names: [UInt64: String] = [:]
    }
    private let state = Mutex(State())
    public init() {}

    /// The names of what is open, the oldest first.
    public var names: [String] {
        state.withLock { $0.names.sorted { $0.key < $1.key }.map(\.value) }
    }

    /// Runs `body`, which is open meanwhile.
    public func during<T: Sendable>(
        _ name: String, _ body: () async throws -> T
    ) async rethrows -> T {
        let number = state.withLock { state in
            state.nextNumber += 1
            state.names[state.nextNumber] = name
            return state.nextNumber
        }
        defer { state.withLock { _ = $0.names.removeValue(forKey: number) } }
        return try await body()
    }
}
