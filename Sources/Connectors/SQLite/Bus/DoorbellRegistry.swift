internal import PipelineCore
internal import Synchronization

/// The doorbells of those who wait for a name: one each, so that no ring is taken by another.
final class DoorbellRegistry: Sendable {
    private struct Entry {
        var name: String
        var bell: Doorbell
    }
    private let entries = Mutex<[Entry]>([])

    func add(_ bell: Doorbell, for name: String) {
        entries.withLock { $0.append(Entry(name: name, bell: bell)) }
    }

    func remove(_ bell: Doorbell) {
        entries.withLock { $0.removeAll { $0.bell === bell } }
    }

    func ring(_ name: String) {
        let bells = entries.withLock { $0.filter { $0.name == name }.map(\.bell) }
        for bell in bells { bell.ring() }
    }
}
