/// Numbers as bars of block characters.
enum BarChart {
    private static let eighths: [Character] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    private static let across: [Character] = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"]

    /// Upright bars, the top line first. What is not zero shows, however small.
    static func columns(_ values: [Int], of most: Int, height: Int) -> [String] {
        let most = max(most, 1)
        let levels = values.map { value in
            value <= 0
                ? 0 : max(1, Int((Double(value) / Double(most) * Double(height * 8)).rounded()))
        }
        return (0..<height).reversed().map { row in
            String(levels.map { eighths[min(max(0, $0 - row * 8), 8)] })
        }
    }

    /// A bar that lies.
    static func bar(_ value: Int, of most: Int, width: Int) -> String {
        guard value > 0, most > 0 else { return "" }
        let level = max(1, Int((Double(value) / Double(most) * Double(width * 8)).rounded()))
        let bar = String(repeating: "█", count: level / 8)
        return level % 8 == 0 ? bar : bar + String(across[level % 8])
    }
}
