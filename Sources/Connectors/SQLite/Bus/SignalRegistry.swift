internal import PipelineCore
internal import Synchronization

/// The signals of those who wait for a name: one each, so that none is taken by another.
final class SignalRegistry: Sendable {
    private struct Entry {
        var name: String
        var signal: Signal
    }
    private let entries = Mutex<[Entry]>([])

    func add(_ signal: Signal, for name: String) {
        entries.withLock { $0.append(Entry(name: name, signal: signal)) }
    }

    func remove(_ signal: Signal) {
        entries.withLock { $0.removeAll { $0.signal === signal } }
    }

    func ring(_ name: String) {
        let signals = entries.withLock { $0.filter { $0.name == name }.map(\.signal) }
        for signal in signals { signal.send() }
    }
}
