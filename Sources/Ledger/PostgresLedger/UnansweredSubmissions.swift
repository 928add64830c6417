internal import PipelineCore
internal import Synchronization

/// Chunks whose acceptance was asked for and never answered.
///
/// When the same chunk is handed in again and its positions turn out to be where it would have
/// moved them, it was accepted the first time. Only then: to anybody else the same positions say
/// that another process has taken over.
final class UnansweredSubmissions: Sendable {
    /// More are never open at once: each input has one chunk under way.
    private static let limit = 1024
    private let advances = Mutex<[[PositionAdvance]]>([])

    func remember(_ chunk: [PositionAdvance]) {
        if chunk.isEmpty { return }
        advances.withLock { advances in
            if advances.contains(chunk) { return }
            if advances.count >= Self.limit { advances.removeFirst() }
            advances.append(chunk)
        }
    }

    func contains(_ chunk: [PositionAdvance]) -> Bool {
        advances.withLock { $0.contains(chunk) }
    }

    func forget(_ chunk: [PositionAdvance]) {
        advances.withLock { advances in
            if advances.isEmpty { return }
            advances.removeAll { $0 == chunk }
        }
    }
}
