/// Picks indices in proportion to their weights.
struct WeightedChoice: Sendable {
    private let cumulative: [Double]

    init(_ weights: [Double]) {
        var sum = 0.0
        cumulative = weights.map { weight in
            sum += weight
            return sum
        }
    }

    /// Harmonic weights that sum up to 1; the first is the largest.
    static func shares(_ count: Int) -> [Double] {
        let weights = (0..<count).map { 1 / Double($0 + 1) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }

    /// - Parameter unit: uniform in 0 ..< 1.
    func pick(_ unit: Double) -> Int {
        let wanted = unit * cumulative[cumulative.count - 1]
        var low = 0
        var high = cumulative.count - 1
        while low < high {
            let middle = (low + high) / 2
            if cumulative[middle] > wanted { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
