/// Columns that line up.
struct TextTable {
    enum Alignment { case left, right }

    let heads: [(title: String, alignment: Alignment)]
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
