internal import PipelineCore

extension OutcomeEncoder {
    /// The announcements of a batch, in the outcomes' order.
    func announcements(_ outcomes: [Outcome]) throws -> [OutgoingRecord] {
        try outcomes.map(announcement)
    }
}

extension Optional where Wrapped == any OutcomeEncoder {
    func required(by stage: String) throws -> any OutcomeEncoder {
        if let self { return self }
        throw PipelineError.fatal(
            "unknown-codec", "stage \(stage): there is no codec to render outcomes with")
    }
}
