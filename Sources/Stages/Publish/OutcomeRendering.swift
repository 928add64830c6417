internal import PipelineCore

extension OutcomeEncoder {
    /// The announcements of a batch, in the outcomes' order; and the outcomes that can't be rendered.
    func announcements(
        _ outcomes: [Outcome]
    ) throws -> (records: [(outcome: Outcome, record: OutgoingRecord)], refused: [OutcomeRefusal]) {
        var records: [(outcome: Outcome, record: OutgoingRecord)] = []
        records.reserveCapacity(outcomes.count)
        var refused: [OutcomeRefusal] = []
        for outcome in outcomes {
            do {
                records.append((outcome, try announcement(outcome)))
            } catch let error as PipelineError where error.disposition == .permanent {
                refused.append(OutcomeRefusal(outcome, error))
            }
        }
        return (records, refused)
    }
}

extension Optional where Wrapped == any OutcomeEncoder {
    func required(by stage: String) throws -> any OutcomeEncoder {
        if let self { return self }
        throw PipelineError.fatal(
            "unknown-codec", "stage \(stage): there is no codec to render outcomes with")
    }
}
