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

extension PipelineError {
    /// Each event of the log would count twice.
    static func positionsOwned(_ log: LogName, by owner: PositionOwner, not asking: PositionOwner)
        -> PipelineError
    {
        .fatal(
            "state-owned",
            "the events of \(log.key) are stored by \(owner.name), which \(asking.name) would do again from their "
                + "beginning: `penstock migrate --rename \(owner.name)=\(asking.name)` moves the position, "
                + "`--abandon \(owner.name)` forgets it")
    }

    static func positionsOwned(_ name: StateName) -> PipelineError {
        .fatal("state-owned", "\(name) has positions of events of its own: abandon them first")
    }
}

/// Whose positions are meant.
struct PositionOwner: Sendable {
    var pipeline: String
    var stage: String
    var name: String { "\(pipeline)/\(stage)" }
    /// Rows of versions that knew no owners.
    var isNobody: Bool { pipeline.isEmpty && stage.isEmpty }

    /// What is to be told about positions that were moved or forgotten.
    static func sentences(_ stages: [String], of pipeline: String) -> [String] {
        stages.sorted().map { "\(pipeline)/\($0): where its events were read" }
    }
}
