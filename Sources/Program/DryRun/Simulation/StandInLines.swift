internal import PipelineCore
internal import Synchronization

/// Stands in for files and standard streams.
final class StandInLines: LineInput, LineOutput {
    private struct State {
        var lines: [Bytes] = []
        var isEnded = false
        var rejected: [OutgoingRecord] = []
    }
    let name: String
    private let state = Mutex(State())
    private let arrivals = Signal()

    init(name: String) { self.name = name }

    /// A line is written to the input.
    func append(line: Bytes) {
        state.withLock { $0.lines.append(line) }
        arrivals.send()
    }

    /// No more lines come.
    func end() {
        state.withLock { $0.isEnded = true }
        arrivals.send()
    }

    /// Lines that were refused, as dead letters.
    var rejected: [OutgoingRecord] { state.withLock { $0.rejected } }

    var isSeekable: Bool { false }

    func lines(from offset: Int64, maxBytes: Int) async throws -> [Line] {
        while true {
            let (found, isEnded) = state.withLock { state in
                defer { state.lines = [] }
                return (state.lines, state.isEnded)
            }
            if !found.isEmpty || isEnded {
                return found.enumerated().map {
                    Line(text: $1, next: offset + Int64($0) + 1)
                }
            }
            try await arrivals.wait()
        }
    }

    func keepRejected(_ lines: [OutgoingRecord]) async throws {
        state.withLock { $0.rejected += lines }
    }

    func append(_ records: [OutgoingRecord]) async throws {}
    func probe() async throws {}
    func close() async {}
}
