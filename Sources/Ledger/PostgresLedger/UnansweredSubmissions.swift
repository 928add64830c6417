internal import PipelineCore
internal import Synchronization

/// Chunks whose acceptance was asked for and never answered.
///
/// When the same chunk is handed in again and its positions turn out to be where it would have
/// moved them, it was accepted the first time. Only then: to anybody else the same positions say
/// that another process has taken over.
final class UnansweredSubmissions: Sendable {
    /// More are never open at once: each input has a few chunks under way.
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

    /// Where the advance, and then unanswered ones that go on from there, may have left its position.
    func ends(of advance: PositionAdvance) -> [Int64] {
        let steps = advances.withLock { $0.flatMap(\.self) }
        var ends = [advance.next]
        while let end = ends.last,
            let behind = steps.first(where: {
                $0.source == advance.source && $0.partition == advance.partition
                    && $0.expected == end && $0.next > end
            })
        {
            ends.append(behind.next)
        }
        return ends
    }

    func forget(_ chunk: [PositionAdvance]) {
        advances.withLock { advances in
            if advances.isEmpty { return }
            advances.removeAll { $0 == chunk }
        }
    }
}
