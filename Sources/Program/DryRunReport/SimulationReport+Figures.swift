internal import PipelineCore

extension SimulationReport {
    /// How often each trigger sealed a batch, the most frequent first.
    public var batchesByTrigger: [(trigger: String, batches: Int)] {
        var counts: [String: Int] = [:]
        for batch in batches { counts[batch.closedBy, default: 0] += 1 }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { (trigger: $0.key, batches: $0.value) }
    }

    /// Whether the chain collects cases at all.
    public var hasBarrier: Bool { !batches.isEmpty || stages.contains { $0.role == .barrier } }

    /// Whether cases are to be answered, or only passed on.
    public var expectsAnswers: Bool {
        generation != nil || !waits.isEmpty || stages.contains { $0.role == .worker }
    }

    /// How many cases a full batch has, if the chain says so.
    public var capacity: Int? {
        guard let batch = batches.first(where: { ($0.fill ?? 0) > 0 }), let fill = batch.fill else {
            return nil
        }
        return Int((Double(batch.cases.count) / fill).rounded())
    }

    /// Cases that batches have taken up.
    public var batchedCases: Int { batches.reduce(0) { $0 + $1.cases.count } }

    /// How full batches were on average; `nil` where fullness has no measure.
    public var meanFill: Double? {
        let fills = batches.compactMap(\.fill)
        return fills.isEmpty ? nil : fills.reduce(0, +) / Double(fills.count)
    }

    /// Records that were refused for good.
    public var deadLettered: Int { deadLetters.reduce(0) { $0 + $1.count } }

    /// Repeats that stages kept from the rest of the chain.
    public var deduplicated: Int {
        stages.filter { $0.remarks.kept == .repeats }.reduce(0) { $0 + kept(by: $1) }
    }

    /// Records that a stage neither passed on nor refused.
    public func kept(by stage: StageCount) -> Int {
        max(0, stage.received - stage.passed - refused(by: stage))
    }

    /// Records that a stage refused for good.
    public func refused(by stage: StageCount) -> Int {
        deadLetters.filter { $0.stage == stage.id }.reduce(0) { $0 + $1.count }
    }
}

extension GenerationCost {
    /// The share of generation time that batching saves; below zero if it costs.
    public var saved: Double { single > .zero ? 1 - busy / single : 0 }

    /// `97 % of generation time saved`.
    package var savingText: String {
        if single <= .zero { return "generation is free" }
        return busy <= single
            ? "\(saved.percent) of generation time saved"
            : "generation takes \((busy / single).times) the time of a run for each case"
    }
}

extension Array {
    /// The first index whose element satisfies `belongs`, in an array that is partitioned by it.
    package func partitioningIndex(where belongs: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if belongs(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
