internal import Concurrency
internal import PipelineCore
internal import Synchronization

/// The databases that a process has pools of. Pools of one address share its connections, whatever
/// their other properties are: the server counts them all.
public final class PostgresPlaces: Sendable {
    private let known = Mutex<[String: SharedPlaces]>([:])

    public init() {}

    /// Enters a pool.
    ///
    /// - Parameters:
    ///   - address: what the pools have in common.
    ///   - connections: the most, and whether somebody has said so. The least that is named holds
    ///     for all.
    func join(_ address: String, connections: Int, isNamed: Bool) -> SharedPlaces {
        known.withLock { known in
            let places = known[address] ?? SharedPlaces(connections: connections)
            known[address] = places
            places.enter(connections: isNamed ? connections : nil)
            return places
        }
    }

    /// - Returns: whether it was the last of its address.
    func leave(_ address: String) -> Bool {
        known.withLock { known in
            let isLast = known[address]?.exit() ?? false
            if isLast { known[address] = nil }
            return isLast
        }
    }
}

/// The places for connections to one address.
final class SharedPlaces: Sendable {
    typealias State = PoolState<PostgresSlot, Resumption<PostgresSlot?>>
    struct Guarded {
        var pool: State
        var nextID: UInt64 = 0
        fileprivate var users = 0
        fileprivate var named: Int?
    }
    let state: Mutex<Guarded>

    init(connections: Int) { state = Mutex(Guarded(pool: State(limit: connections))) }

    /// Slots that nobody has may have given their connection back.
    var idleConnections: Int {
        state.withLock { $0.pool.unused.count { $0.isConnected.load(ordering: .relaxed) } }
    }

    fileprivate func enter(connections: Int?) {
        state.withLock { state in
            state.users += 1
            guard let connections else { return }
            let least = min(connections, state.named ?? .max)
            state.named = least
            state.pool.resize(to: least)
        }
    }

    fileprivate func exit() -> Bool {
        state.withLock { state in
            state.users -= 1
            return state.users == 0
        }
    }
}
