public import PipelineCore

/// A source that does what a test says.
public final class FakeSource: Source {
    public let closings = Journal<Void>()
    private let body: @Sendable (Outlet) async throws -> Void

    public init(_ body: @escaping @Sendable (Outlet) async throws -> Void) { self.body = body }

    /// Sends the chunks, then ends.
    public convenience init(_ chunks: [Chunk]) {
        self.init { outlet in for chunk in chunks { try await outlet.send(chunk) } }
    }

    public func run(into outlet: Outlet) async throws { try await body(outlet) }
    public func close() async { closings.note(()) }
}

/// A transform that does what a test says.
public struct FakeTransform: Transform {
    private let body: @Sendable (Chunk) async throws -> Chunk
    public init(_ body: @escaping @Sendable (Chunk) async throws -> Chunk) { self.body = body }
    public func process(_ chunk: Chunk) async throws -> Chunk { try await body(chunk) }
}

/// A generator that does what a test says; by default it answers with a copy of the parameters.
public struct FakeGenerator: Generator {
    private let body: @Sendable (Batch) async throws -> GeneratedBatch
    public init(
        _ body: @escaping @Sendable (Batch) async throws -> GeneratedBatch = { .echo(of: $0) }
    ) { self.body = body }
    public func generate(_ batch: Batch) async throws -> GeneratedBatch { try await body(batch) }
}

extension GeneratedBatch {
    /// A report for each case: its parameters.
    public static func echo(of batch: Batch) -> GeneratedBatch {
        GeneratedBatch(
            results: batch.cases.map { .report($0.parameters) }, dataAsOf: batch.sealedAt)
    }
}

/// A sink that keeps what it gets, records as well as outcomes.
public final class FakeSink: RecordSink, OutcomeSink {
    /// The chunks that were delivered.
    public let chunks = Journal<Chunk>()
    /// The batches that were delivered, repeats included.
    public let batches = Journal<OutcomeBatch>()
    public let closings = Journal<Void>()
    /// What deliveries fail with.
    public let failures: Failures
    /// Cases that are refused for good.
    public let refused: Set<Int>
    /// Deliveries wait here.
    public let gate: AsyncEvent

    public init(
        failures: Failures = Failures(), refusing refused: Set<Int> = [], isOpen: Bool = true
    ) {
        self.failures = failures
        self.refused = refused
        gate = AsyncEvent()
        if isOpen { gate.set() }
    }

    public func deliver(_ chunk: Chunk) async throws {
        try await gate.wait()
        try failures.throwNext()
        chunks.note(chunk)
    }
    public func deliver(_ batch: OutcomeBatch) async throws -> [OutcomeRefusal] {
        try await gate.wait()
        try failures.throwNext()
        batches.note(batch)
        return batch.outcomes.filter { refused.contains(Int($0.caseNumber)) }.map {
            OutcomeRefusal($0, .permanent("record-too-large", "too large for the topic"))
        }
    }
    public func close() async { closings.note(()) }
}
