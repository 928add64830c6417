internal import PipelineCore

extension PipelineError {
    /// Another process has read on from this input, or nobody has registered it.
    static func positionMoved(_ advance: PositionAdvance, stored: Int64?) -> PipelineError {
        let place = "\(advance.source)[\(advance.partition)]"
        guard let stored else {
            return .fenced("position-moved", "no position of \(place) is stored")
        }
        return .fenced(
            "position-moved",
            "the position of \(place) is \(stored), not \(advance.expected): another process reads"
        )
    }
}

/// Whose positions are meant.
struct PositionOwner: Sendable {
    var pipeline: String
    var stage: String
    /// The stages of the files at hand, the owner among them; empty where that plays no part.
    var atHand: [StateOwner] = []

    /// A stage that begins anew where another one has stored the same log would count it twice: it
    /// is the same one under another name, unless both are at hand.
    ///
    /// - Parameter found: the owners that have positions in the log.
    /// - Throws: `fatal` `state-unowned`.
    func check(_ found: [StateName], of log: LogName) throws {
        let own = StateName(pipeline: pipeline, part: stage)
        if atHand.isEmpty || found.contains(own) { return }
        let other = found.first { name in
            !atHand.contains { $0.pipeline == name.pipeline && $0.stage == name.part }
        }
        guard let other else { return }
        throw PipelineError.fatal(
            "state-unowned",
            "the events of \(log.key) are stored by \(other) already, which is not at hand: they"
                + " would count twice; `penstock migrate --rename \(other)=\(own)` lets \(own) go on"
                + " from there, and if both are meant, run both files once in one process")
    }
}

extension PipelineError {
    static func positionsOwned(_ name: StateName) -> PipelineError {
        .fatal(
            "state-owned",
            "\(name) has positions of its own in the event store, which can't be merged with"
                + " another's: events would count twice, or not at all")
    }
}
