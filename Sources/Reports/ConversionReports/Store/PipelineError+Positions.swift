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
}
