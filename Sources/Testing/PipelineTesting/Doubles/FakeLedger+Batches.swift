internal import Concurrency
public import PipelineCore
internal import Synchronization

extension FakeLedger {
    // MARK: What a test puts in

    /// Seals a batch of these cases.
    public func seal(
        _ numbers: some Sequence<Int>, deadline: Timestamp = Timestamp(microseconds: .max)
    ) {
        put(
            numbers.map {
                Case(
                    number: Int64($0), id: .testing($0), deadline: deadline,
                    parameters: [UInt8(truncatingIfNeeded: $0)])
            })
    }

    private func put(_ cases: [Case]) {
        state.withLock { state in
            state.lastNumber += 1
            state.open += 1
            state.batches.append(
                Batch(
                    number: state.lastNumber, token: 1, attempts: 1, closedBy: "count",
                    sealedAt: Timestamp(microseconds: 0), cases: cases))
        }
        sealed.send()
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
        for sink in sinks { committed(for: sink).send() }
    }

    // MARK: Batches

    public func claim(
        worker: String, lease: Duration, atMost limit: Int?
    ) async throws -> Batch? {
        while true {
            let next: Batch? = state.withLock { state in
                if state.batches.isEmpty { return nil }
                let batch = state.batches.removeFirst()
                state.claimed[batch.number] = batch
                return batch
            }
            if next != nil || !waitsAtClaims { return next }
            try await sealed.wait()
        }
    }

    public func extend(batch: Int64, token: Int64, lease: Duration) async throws {
        try perform(.extend, "\(batch)")
    }

    public func commit(_ commit: BatchCommit) async throws -> Timestamp {
        try perform(.commit, "\(commit.batch)")
        guard let batch = state.withLock({ $0.claimed[commit.batch] }) else { return storeTime }
        commits.note(
            (batch, GeneratedBatch(results: commit.results, dataAsOf: commit.dataAsOf)))
        state.withLock { state in
            state.open -= 1
            for sink in commit.sinks {
                state.deliveries[sink, default: []].append(
                    OutcomeBatch(
                        number: batch.number, token: 1,
                        outcomes: batch.cases.map { .testing(Int($0.number), batch: batch.number) })
                )
            }
        }
        for sink in commit.sinks { committed(for: sink).send() }
        return storeTime
    }

    public func release(
        batch: Int64, token: Int64, after delay: Duration, reason: String
    ) async throws {
        try perform(.release, "\(batch)")
        pauses.note(delay)
        giveBack(batch, attempts: 1)
    }

    public func handBack(batch: Int64, token: Int64) async throws {
        try perform(.handBack, "\(batch)")
        giveBack(batch, attempts: 0)
    }

    private func giveBack(_ number: Int64, attempts: Int) {
        state.withLock { state in
            guard var batch = state.claimed.removeValue(forKey: number) else { return }
            batch.attempts += attempts
            batch.token += 1
            state.batches.append(batch)
        }
        sealed.send()
    }

    public func bisect(batch number: Int64, token: Int64) async throws {
        try perform(.bisect, "\(number)")
        let cases = state.withLock { state in
            state.open -= 1
            return state.claimed.removeValue(forKey: number)?.cases ?? []
        }
        let half = cases.count / 2
        put(Array(cases[..<half]))
        put(Array(cases[half...]))
    }

    // MARK: Deliveries

    public func claimDelivery(
        sink: String, worker: String, lease: Duration
    ) async throws -> OutcomeBatch? {
        while true {
            let next: OutcomeBatch? = state.withLock { state in
                if state.deliveries[sink, default: []].isEmpty { return nil }
                let batch = state.deliveries[sink]?.removeFirst()
                state.claimedDeliveries[sink] = batch
                return batch
            }
            if next != nil { deliveryLeases.note(lease) }
            if next != nil || !waitsAtClaims { return next }
            try await committed(for: sink).wait()
        }
    }

    public func extendDelivery(
        batch: Int64, sink: String, token: Int64, lease: Duration
    ) async throws {
        try perform(.extend, "\(batch) to \(sink)")
        deliveryLeases.note(lease)
    }

    public func delivered(
        batch: Int64, sink: String, token: Int64, refused: [OutcomeRefusal]
    ) async throws {
        try perform(.delivered, "\(batch) to \(sink)")
        for outcome in refused { refusals.note((sink, outcome)) }
    }

    public func releaseDelivery(
        batch: Int64, sink: String, token: Int64, after delay: Duration
    ) async throws {
        try perform(.releaseDelivery, "\(batch) to \(sink)")
        pauses.note(delay)
        giveBack(to: sink, attempts: 1)
    }

    public func handBackDelivery(batch: Int64, sink: String, token: Int64) async throws {
        try perform(.handBackDelivery, "\(batch) to \(sink)")
        giveBack(to: sink, attempts: 0)
    }

    private func giveBack(to sink: String, attempts: Int) {
        state.withLock { state in
            guard var batch = state.claimedDeliveries.removeValue(forKey: sink) else { return }
            batch.attempts += attempts
            state.deliveries[sink, default: []].append(batch)
        }
        committed(for: sink).send()
    }

    /// Each loop has one of its own: what another loop hears is not missed.
    private func committed(for sink: String) -> Signal {
        committed.withLock { signals in
            let signal = signals[sink] ?? Signal()
            signals[sink] = signal
            return signal
        }
    }
}
