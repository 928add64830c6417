internal import Calendar
internal import PipelineCore

extension SimulationReport {
    /// How often each trigger sealed a batch, the most frequent first.
    var batchesByTrigger: [(trigger: String, batches: Int)] {
        var counts: [String: Int] = [:]
        for batch in batches { counts[batch.closedBy, default: 0] += 1 }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { (trigger: $0.key, batches: $0.value) }
    }

    /// Whether the chain collects cases at all.
    var hasBarrier: Bool { !batches.isEmpty || stages.contains { $0.type == "accumulate" } }

    /// Whether cases are to be answered, or only passed on.
    var expectsAnswers: Bool {
        generation != nil || !waits.isEmpty || stages.contains { $0.type == "generate" }
    }

    /// How many cases a full batch has, if the chain says so.
    var capacity: Int? {
        guard let batch = batches.first(where: { ($0.fill ?? 0) > 0 }), let fill = batch.fill else {
            return nil
        }
        return Int((Double(batch.cases.count) / fill).rounded())
    }

    var batchedCases: Int { batches.reduce(0) { $0 + $1.cases.count } }

    /// How full batches were on average; `nil` where fullness has no measure.
    var meanFill: Double? {
        let fills = batches.compactMap(\.fill)
        return fills.isEmpty ? nil : fills.reduce(0, +) / Double(fills.count)
    }

    var deadLettered: Int { deadLetters.reduce(0) { $0 + $1.count } }
    /// Repeats that a `dedupe` kept from the rest of the chain.
    var deduplicated: Int {
        stages.filter { $0.type == "dedupe" }.reduce(0) { $0 + kept(by: $1) }
    }

    /// Records that a stage neither passed on nor refused.
    func kept(by stage: StageCount) -> Int {
        max(0, stage.received - stage.passed - refused(by: stage))
    }

    func refused(by stage: StageCount) -> Int {
        deadLetters.filter { $0.stage == stage.id }.reduce(0) { $0 + $1.count }
    }

    /// What became of the records of a stage that did not simply pass; empty if all did.
    func remark(on stage: StageCount) -> String {
        let (kept, refused) = (kept(by: stage), refused(by: stage))
        var remarks: [String] = []
        switch stage.type {
        case "dedupe" where kept > 0:
            remarks.append("\(kept.counting("repeat", "repeats")) dropped")
        case "accumulate" where kept > 0:
            remarks.append("\(kept.grouped) known already or never sealed")
        case "publish": remarks.append("\(stage.passed.grouped) published")
        case "cache": remarks.append("\(stage.passed.grouped) cached")
        default: break
        }
        let isTold = stage.type == "dedupe" || stage.type == "accumulate"
        if kept > 0, !isTold { remarks.append("\(kept.grouped) not passed on") }
        if refused > 0 { remarks.append("\(refused.grouped) dead-lettered") }
        return remarks.joined(separator: ", ")
    }

    /// `simulated 36 h in 3.1 s (42,000 : 1)`.
    var pace: String {
        let simulated = max(end, traceLength)
        guard took > .zero else { return "simulated \(simulated.spoken)" }
        return "simulated \(simulated.spoken) in \(took.spoken) "
            + "(\((simulated / took).twoDigits) : 1)"
    }

    /// The civil time of an instant, finer if the simulation is short.
    func moment(_ instant: Duration) -> String {
        let clock = CivilTime(start.advanced(by: instant))
        let isShort = max(end, traceLength) < .seconds(600)
        return "\(clock.day) \(isShort ? clock.milliseconds : clock.seconds)"
    }
}

extension GenerationCost {
    /// The share of generation time that batching saves; below zero if it costs.
    var saved: Double { single > .zero ? 1 - busy / single : 0 }

    /// `97 % of generation time saved`.
    var savingText: String {
        if single <= .zero { return "generation is free" }
        return busy <= single
            ? "\(saved.percent) of generation time saved"
            : "generation takes \((busy / single).times) the time of a run for each case"
    }
}
