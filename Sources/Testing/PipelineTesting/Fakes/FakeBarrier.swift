public import PipelineCore
internal import Synchronization

/// A barrier in memory: batches are what a test puts in, every call is noted.
public final class FakeBarrier: Barrier {
    /// Calls that can be made to fail, and that are noted.
    public enum Call: String, Sendable, CaseIterable {
        case prepare, accept, extend, commit, release, bisect, delivered, releaseDelivery
    }
    private struct State {
        var batches: [Batch] = []
        var lastNumber: Int64 = 0
        var deliveries: [String: [OutcomeBatch]] = [:]
        var open = 0
    }

    /// The chunks of a row, when they were taken.
    public let taken = Journal<Chunk>()
    /// Chunks of a row wait here for being taken in.
    public let gate = Latch()
    /// The chunks that were taken in, in order.
    public let accepted = Journal<Chunk>()
    /// `commit 1`, `release 1`, `delivered 1 to a`, in order.
    public let calls = Journal<String>()
    /// What was committed.
    public let commits = Journal<(batch: Batch, generated: GeneratedBatch)>()
    /// How long batches were given back for.
    public let pauses = Journal<Duration>()
    /// What sinks have refused for good.
    public let refusals = Journal<(sink: String, outcome: OutcomeRefusal)>()
    public let lease: Duration
    /// The store's clock.
    public let storeTime: Timestamp
    private let ahead: Int
    private let failures: [Call: Failures]
    private let state = Mutex(State())
    private let sealed = Doorbell()
    private let committed = Mutex<[String: Doorbell]>([:])

    /// - Parameters:
    ///   - ahead: how many chunks of a row are taken before the first is taken in; 0 knows no rows.
    ///   - isOpen: whether the gate is.
    ///   - storeTime: the store's clock, which stands still.
    public init(
        lease: Duration = .seconds(30), ahead: Int = 0, isOpen: Bool = true,
        storeTime: Timestamp = Timestamp(microseconds: 0)
    ) {
        self.lease = lease
        self.storeTime = storeTime
        self.ahead = ahead
        if isOpen { gate.open() }
        failures = Dictionary(uniqueKeysWithValues: Call.allCases.map { ($0, Failures()) })
    }

    public var positions: (any PositionStore)? { nil }
    public var reader: (any CaseReader)? { nil }

    /// The next calls of that sort throw these.
    public func fail(_ call: Call, _ errors: PipelineError...) {
        for error in errors { failures[call]?.add(error) }
    }

    /// Seals a batch of these cases.
    public func seal(
        _ numbers: some Sequence<Int>, deadline: Timestamp = Timestamp(microseconds: .max)
    ) {
        let cases = numbers.map {
            Case(
                number: Int64($0), id: .testing($0), deadline: deadline,
                parameters: [UInt8(truncatingIfNeeded: $0)])
        }
        put(cases, attempts: 1)
    }

    private func put(_ cases: [Case], attempts: Int) {
        state.withLock { state in
            state.lastNumber += 1
            state.open += 1
            state.batches.append(
                Batch(
                    number: state.lastNumber, token: 1, attempts: attempts, closedBy: "count",
                    sealedAt: Timestamp(microseconds: 0), cases: cases))
        }
        sealed.ring()
    }

    /// Commits a batch whose delivery to `sinks` is what the test is about.
    public func putOutcomes(of numbers: some Sequence<Int>, to sinks: [String]) {
        state.withLock { state in
            state.lastNumber += 1
            for sink in sinks {
                let batch = OutcomeBatch(
                    number: state.lastNumber, token: 1,
                    outcomes: numbers.map { .testing($0, batch: state.lastNumber) })
                state.deliveries[sink, default: []].append(batch)
            }
        }
        for sink in sinks { bell(sink).ring() }
    }

    public func prepare() async throws { try perform(.prepare, "") }

    public func accept(_ chunk: Chunk) async throws {
        try perform(.accept, "\(chunk.records.count)")
        accepted.note(chunk)
        chunk.delivery.settle(.acknowledged)
    }

    public func accept(rowFrom next: @escaping @Sendable () -> Chunk?) async throws {
        var underWay: [Chunk] = []
        var failure: (any Error)?
        while true {
            while failure == nil, underWay.count < ahead, let chunk = next() {
                taken.note(chunk)
                underWay.append(chunk)
            }
            if underWay.isEmpty { break }
            try await gate.wait()
            do { try await accept(underWay.removeFirst()) } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    public func runSealing() async throws { try await Latch().wait() }
    public func flush() async throws {}

    public func isIdle() async throws -> Bool {
        state.withLock { $0.open == 0 && $0.deliveries.values.allSatisfy(\.isEmpty) }
    }

    public func nextBatch(worker: String) async throws -> any ClaimedBatch {
        while true {
            let next = state.withLock { $0.batches.isEmpty ? nil : $0.batches.removeFirst() }
            if let next { return FakeClaim(barrier: self, batch: next) }
            try await sealed.wait()
        }
    }

    public func nextDelivery(to sink: String, worker: String) async throws
        -> any ClaimedDelivery
    {
        while true {
            let next = state.withLock { state in
                state.deliveries[sink, default: []].isEmpty
                    ? nil : state.deliveries[sink]?.removeFirst()
            }
            if let next { return FakeDeliveryClaim(barrier: self, sink: sink, batch: next) }
            try await bell(sink).wait()
        }
    }

    func perform(_ call: Call, _ what: String) throws {
        try failures[call]?.throwNext()
        calls.note(what.isEmpty ? call.rawValue : "\(call.rawValue) \(what)")
    }

    func commit(_ batch: Batch, _ generated: GeneratedBatch, _ sinks: [String]) throws {
        try perform(.commit, "\(batch.number)")
        commits.note((batch, generated))
        state.withLock { state in
            state.open -= 1
            for sink in sinks {
                state.deliveries[sink, default: []].append(
                    OutcomeBatch(
                        number: batch.number, token: 1,
                        outcomes: batch.cases.map { .testing(Int($0.number), batch: batch.number) })
                )
            }
        }
        for sink in sinks { bell(sink).ring() }
    }

    func giveBack(_ batch: Batch) {
        var batch = batch
        batch.attempts += 1
        batch.token += 1
        state.withLock { $0.batches.append(batch) }
        sealed.ring()
    }

    func giveBack(_ batch: OutcomeBatch, to sink: String) {
        state.withLock { $0.deliveries[sink, default: []].append(batch) }
        bell(sink).ring()
    }

    func bisect(_ batch: Batch) {
        let half = batch.cases.count / 2
        state.withLock { $0.open -= 1 }
        put(Array(batch.cases[..<half]), attempts: 1)
        put(Array(batch.cases[half...]), attempts: 1)
    }

    /// Each loop has a bell of its own: a ring that another loop hears is not missed.
    private func bell(_ sink: String) -> Doorbell {
        committed.withLock { bells in
            let bell = bells[sink] ?? Doorbell()
            bells[sink] = bell
            return bell
        }
    }
}
