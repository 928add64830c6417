internal import PipelineCore

/// Whose turn it is: round robin, with those that failed just now behind the others.
///
/// Pure: told of time and outcomes, asked for an order.
struct EndpointRotation: Sendable {
    /// How long an endpoint that has failed stands behind the others.
    static let rest: Duration = .seconds(5)

    private var next = 0
    /// Until when each is given a rest.
    private var restingUntil: [Instant?]

    init(count: Int) { restingUntil = Array(repeating: nil, count: count) }

    /// All endpoints, in the order in which the next batch tries them.
    ///
    /// Resting ones are in it, too: when all have failed, somebody has to be tried.
    mutating func order(at now: Instant) -> [Int] {
        let count = restingUntil.count
        var ready: [Int] = []
        var resting: [Int] = []
        for offset in 0..<count {
            let index = (next + offset) % count
            if let until = restingUntil[index], until > now {
                resting.append(index)
            } else {
                ready.append(index)
            }
        }
        let order = ready + resting
        next = (order[0] + 1) % count
        return order
    }

    mutating func failed(_ index: Int, at now: Instant) {
        restingUntil[index] = now.advanced(by: Self.rest)
    }

    mutating func answered(_ index: Int) { restingUntil[index] = nil }
}
