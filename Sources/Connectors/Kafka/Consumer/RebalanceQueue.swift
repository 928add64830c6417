internal import CRdKafka
internal import Synchronization

/// A change of what a consumer may read, as its group has decided it.
enum RebalanceChange: Sendable, Equatable {
    case assign([Int32])
    /// `isLost`: others may be reading these already; nothing may be committed.
    case revoke([Int32], isLost: Bool)
}

/// Changes between librdkafka's callback, which can't wait, and the consumer, which reads stored
/// positions first.
///
/// The group waits for the answer (`rd_kafka_incremental_assign`, `…_unassign`), which may come
/// later and from any thread. Once the queue is closed the callback answers at once, since closing
/// a consumer waits for it.
final class RebalanceQueue: Sendable {
    private struct State {
        var changes: [RebalanceChange] = []
        var isClosed = false
        var hasAssignment = false
    }
    private let state = Mutex(State())

    /// The rebalance callback; runs inside the consumer's own calls.
    func receive(
        _ code: rd_kafka_resp_err_t,
        _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>, _ handle: OpaquePointer
    ) {
        let partitions = unsafe OffsetList.partitions(of: list)
        let isAssignment = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS
        let isLost = unsafe rd_kafka_assignment_lost(handle) != 0
        let isClosed = state.withLock { state in
            if isAssignment { state.hasAssignment = true }
            if !state.isClosed {
                state.changes.append(
                    isAssignment ? .assign(partitions) : .revoke(partitions, isLost: isLost))
            }
            return state.isClosed
        }
        guard isClosed else { return }
        let error =
            unsafe isAssignment
            ? rd_kafka_incremental_assign(handle, list)
            : rd_kafka_incremental_unassign(handle, list)
        if let error = unsafe error { unsafe rd_kafka_error_destroy(error) }
    }

    /// Whether the group has ever assigned anything to this member, be it nothing.
    var hasBegun: Bool { state.withLock(\.hasAssignment) }

    /// The oldest change; it stays until ``removeFirst()``.
    var first: RebalanceChange? { state.withLock { $0.changes.first } }
    func removeFirst() {
        state.withLock { if !$0.changes.isEmpty { $0.changes.removeFirst() } }
    }

    /// From now on the callback answers by itself.
    /// - Returns: what has not been answered.
    func close() -> [RebalanceChange] {
        state.withLock { state in
            state.isClosed = true
            defer { state.changes = [] }
            return state.changes
        }
    }
}
