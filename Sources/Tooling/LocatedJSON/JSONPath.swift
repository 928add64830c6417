/// The way from a document's root to a value, written `$.stages[2].trigger.any[0].count`.
///
/// See [RFC 9535](https://www.rfc-editor.org/rfc/rfc9535), of which this is the normalized subset
/// with dots where a key allows them.
public struct JSONPath: Sendable, Hashable {
    /// One step down.
    public enum Step: Sendable, Hashable {
        case key(String)
        case index(Int)
    }

    /// The steps from the root.
    public var steps: [Step]

    /// The way along these steps.
    public init(_ steps: [Step] = []) { self.steps = steps }

    /// The document itself.
    public static let root = JSONPath()

    /// The way to a member of the object here.
    public func appending(_ key: String) -> JSONPath { JSONPath(steps + [.key(key)]) }
    /// The way to an item of the list here.
    public func appending(_ index: Int) -> JSONPath { JSONPath(steps + [.index(index)]) }
}

extension JSONPath: CustomStringConvertible {
    /// The path as text, for example `$.stages[2].topic`.
    public var description: String {
        var text = "$"
        for step in steps {
            switch step {
            case .index(let index): text += "[\(index)]"
            case .key(let key) where Self.isPlain(key): text += ".\(key)"
            case .key(let key): text += "[\(JSON.quoted(key))]"
            }
        }
        return text
    }

    private static func isPlain(_ key: String) -> Bool {
        !key.isEmpty
            && key.unicodeScalars.allSatisfy {
                $0 == "_" || $0 == "$" || $0 == "-" || $0.properties.isAlphabetic
                    || ("0"..."9").contains($0)
            }
    }
}

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
