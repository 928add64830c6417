/// Columns that line up.
struct TextTable {
    enum Alignment { case left, right }

    private let heads: [(title: String, alignment: Alignment)]
    var rows: [[String]] = []

    init(_ heads: [(String, Alignment)]) { self.heads = heads.map { ($0.0, $0.1) } }

    /// The table with its heads, two spaces in, without spaces at the ends of lines.
    func lines(_ ink: Ink) -> [String] {
        let widths = heads.indices.map { column in
            let cells = rows.filter { $0.count > 1 }.map { $0[column].count }
            return max(cells.max() ?? 0, heads[column].title.count)
        }
        let head = line(heads.map(\.title), widths)
        return [ink(head, .faint)] + rows.map { line($0, widths) }
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        // One cell stands for a row by itself.
        if cells.count == 1, heads.count > 1 { return "  " + cells[0] }
        var line = zip(cells.indices, cells).map { column, cell in
            let padding = String(repeating: " ", count: widths[column] - cell.count)
            return heads[column].alignment == .left ? cell + padding : padding + cell
        }.joined(separator: "  ")
        while line.hasSuffix(" ") { line.removeLast() }
        return "  " + line
    }
}

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

/// How words look on a terminal, if it shows colours.
struct Ink {
    enum Shade: String {
        case bold = "1"
        case faint = "2"
        case good = "32"
        case bad = "31"
        case goodBold = "1;32"
        case badBold = "1;31"
        case blue = "34"
        case cyan = "36"
        case yellow = "33"
    }

    var isColoured: Bool

    /// The text in a shade; as it stands without colours.
    func callAsFunction(_ text: String, _ shade: Shade) -> String {
        isColoured && !text.isEmpty ? "\u{1B}[\(shade.rawValue)m\(text)\u{1B}[0m" : text
    }
}

/// Text broken at a width.
enum Paragraph {
    /// What follows a number and stays on its line.
    private static let units: Set<Substring> = [
        "µs", "ms", "s", "min", "h", "d", "%", "×", "cases", "runs", "messages",
    ]

    /// - Parameters:
    ///   - first: What the first line begins with.
    ///   - indent: What the others begin with.
    static func lines(
        _ text: String, width: Int, first: String = "", indent: String = ""
    ) -> [String] {
        var lines: [String] = []
        var line = first
        var isEmpty = true
        for word in words(of: text) {
            if isEmpty {
                line += word
            } else if line.count + 1 + word.count <= width {
                line += " " + word
            } else {
                lines.append(line)
                line = indent + word
            }
            isEmpty = false
        }
        return lines + [line]
    }

    /// The text with spaces that do not break between numbers and their units.
    static func glued(_ text: String) -> String {
        words(of: text).map { $0.split(separator: " ").joined(separator: "\u{A0}") }
            .joined(separator: " ")
    }

    /// Words, a number and its unit as one: `12 h`.
    private static func words(of text: String) -> [String] {
        var words: [String] = []
        for word in text.split(separator: " ") {
            let unit = word.prefix { $0 != ";" && $0 != ":" && $0 != "," && $0 != ")" }
            if let last = words.last?.last, last.isNumber, units.contains(unit) {
                words[words.count - 1] += " " + word
            } else {
                words.append(String(word))
            }
        }
        return words
    }
}
