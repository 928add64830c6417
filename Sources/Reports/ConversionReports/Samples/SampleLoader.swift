public import PipelineCore

/// Loads sample data into a store, writes it as JSON lines, or both: the very same events.
public struct SampleLoader: Sendable {
    /// How far loading has come.
    public struct Progress: Sendable, Hashable {
        public var events: Int
        public var total: Int
    }

    /// Where the events go; `nil`: nowhere.
    public var store: (any ReportStore)?
    /// Takes the lines of a chunk, as the codec `conversion-event` reads them.
    public var emit: (@Sendable (Bytes) async throws -> Void)?
    /// Called after every chunk.
    public var progress: @Sendable (Progress) -> Void

    public init(
        store: (any ReportStore)?, emit: (@Sendable (Bytes) async throws -> Void)? = nil,
        progress: @escaping @Sendable (Progress) -> Void = { _ in }
    ) {
        self.store = store
        self.emit = emit
        self.progress = progress
    }

    /// Streams all of it, a chunk in memory at a time, and folds the deltas.
    ///
    /// Every call appends: loading the same data twice counts it twice.
    public func load(_ data: SampleData) async throws {
        var done = 0
        var unfolded = 0
        var text: [UInt8] = []
        for chunk in data {
            if let emit {
                text.removeAll(keepingCapacity: true)
                try chunk.writeJSONLines(to: &text)
                try await emit(text[...])
            }
            if let store {
                try await store.append(chunk, advances: [])
                unfolded += chunk.count
                if unfolded >= Self.foldLimit {
                    try await fold(store)
                    unfolded = 0
                }
            }
            done += chunk.count
            progress(Progress(events: done, total: data.eventCount))
        }
        if let store { try await fold(store) }
    }

    /// Deltas in one fold.
    private static let foldLimit = 50_000

    /// Until nothing is left, or somebody else sees to it.
    private func fold(_ store: any ReportStore) async throws {
        while try await store.fold(limit: Self.foldLimit) == .folded(Self.foldLimit) {}
    }
}
