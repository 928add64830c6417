/// A place in a text: line and column count from 1, the offset counts bytes from 0.
///
/// A column is a Unicode scalar, so that a caret set below it lands where an editor's cursor would.
public struct Position: Sendable, Hashable {
    /// The line, from 1.
    public var line: Int
    /// The Unicode scalar in its line, from 1.
    public var column: Int
    /// The byte in the text, from 0.
    public var offset: Int

    /// A place in a text.
    public init(line: Int, column: Int, offset: Int) {
        self.line = line
        self.column = column
        self.offset = offset
    }

    /// Where every text begins.
    public static let start = Position(line: 1, column: 1, offset: 0)
}

extension Position: Comparable {
    /// Orders places of one text.
    public static func < (left: Position, right: Position) -> Bool { left.offset < right.offset }
}
