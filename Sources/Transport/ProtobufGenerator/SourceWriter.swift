/// Swift source under construction, indented by four spaces a level.
struct SourceWriter {
    private(set) var text = ""
    private var level = 0

    mutating func line(_ line: String = "") {
        text += line.isEmpty ? "\n" : String(repeating: "    ", count: level) + line + "\n"
    }

    mutating func lines(_ lines: String) {
        for one in lines.split(separator: "\n", omittingEmptySubsequences: false) {
            line(String(one))
        }
    }

    mutating func open(_ head: String, bracket: String = "{") {
        line(head.hasSuffix("(") ? head + bracket : head + " " + bracket)
        level += 1
    }

    mutating func close(_ tail: String = "}") {
        level -= 1
        line(tail)
    }

    /// Writes a proto comment as documentation.
    mutating func documentation(_ comment: String?) {
        guard let comment else { return }
        var lines = comment.split(separator: "\n", omittingEmptySubsequences: false)
        while lines.last?.allSatisfy(\.isWhitespace) == true { lines.removeLast() }
        for one in lines {
            let trimmed = one.hasPrefix(" ") ? one.dropFirst() : one
            line(trimmed.isEmpty ? "///" : "/// " + trimmed)
        }
    }
}
