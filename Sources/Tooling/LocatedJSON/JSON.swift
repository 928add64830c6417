/// A JSON value that knows where it stood.
///
/// Numbers keep their text, members their order, and both values and keys their positions, so that
/// whoever refuses a value can point at it. Equality compares values, not positions.
///
/// See [RFC 8259](https://www.rfc-editor.org/rfc/rfc8259).
public struct JSON: Sendable {
    /// What a value is.
    public enum Content: Sendable, Equatable {
        case null
        case bool(Bool)
        /// A number as written; the grammar has been checked, the size has not.
        case number(String)
        case string(String)
        case array([JSON])
        case object([Member])
    }

    /// One key of an object with its value.
    public struct Member: Sendable {
        /// The key, with its escapes resolved.
        public var key: String
        /// Where the key stood, if the object was read.
        public var position: Position?
        /// What the key is set to.
        public var value: JSON

        /// A key and its value.
        public init(_ key: String, _ value: JSON, at position: Position? = nil) {
            self.key = key
            self.position = position
            self.value = value
        }
    }

    /// What the value is.
    public var value: Content
    /// Where the value began; nil when it was not read from a text.
    public var position: Position?

    /// A value, and where it stood if it was read.
    public init(_ value: Content, at position: Position? = nil) {
        self.value = value
        self.position = position
    }
}

extension JSON {
    /// A string value.
    public static func string(_ text: String) -> JSON { JSON(.string(text)) }
    /// A whole number.
    public static func number(_ number: Int) -> JSON { JSON(.number(String(number))) }
    /// A yes or no.
    public static func bool(_ bool: Bool) -> JSON { JSON(.bool(bool)) }
    /// A list of values.
    public static func array(_ items: [JSON]) -> JSON { JSON(.array(items)) }
    /// An object with its members in this order.
    public static func object(_ members: [(String, JSON)]) -> JSON {
        JSON(.object(members.map { Member($0.0, $0.1) }))
    }
    /// The absent value.
    public static var null: JSON { JSON(.null) }

    /// The text of a string; nil for everything else.
    public var string: String? { if case .string(let text) = value { text } else { nil } }
    /// The items of an array; nil for everything else.
    public var items: [JSON]? { if case .array(let items) = value { items } else { nil } }
    /// The members of an object; nil for everything else.
    public var members: [Member]? { if case .object(let members) = value { members } else { nil } }

    /// The value of a member, if this is an object that has it.
    public subscript(key: String) -> JSON? { members?.first { $0.key == key }?.value }

    /// What a reader calls a value of this type.
    public var kind: String {
        switch value {
        case .null: "null"
        case .bool(let bool): bool ? "true" : "false"
        case .number: "number"
        case .string: "text"
        case .array: "list"
        case .object: "object"
        }
    }

    /// A scalar as it would be written on a command line; nil for null, lists and objects.
    public var scalarText: String? {
        switch value {
        case .string(let text): text
        case .number(let text): text
        case .bool(let bool): String(bool)
        case .null, .array, .object: nil
        }
    }
}

extension JSON: Equatable {
    /// Whether two values are the same, wherever they stood.
    public static func == (left: JSON, right: JSON) -> Bool { left.value == right.value }
}

extension JSON.Member: Equatable {
    /// Whether two members have the same key and value, wherever they stood.
    public static func == (left: Self, right: Self) -> Bool {
        left.key == right.key && left.value == right.value
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// A string value.
    public init(stringLiteral text: String) { self.init(.string(text)) }
    /// A whole number.
    public init(integerLiteral number: Int) { self.init(.number(String(number))) }
    /// A yes or no.
    public init(booleanLiteral bool: Bool) { self.init(.bool(bool)) }
    /// A list of values.
    public init(arrayLiteral items: JSON...) { self.init(.array(items)) }
    /// An object with its members in this order.
    public init(dictionaryLiteral members: (String, JSON)...) { self = .object(members) }
}

extension JSONPath {
    /// The steps of a path below some value, written `from[0].resource`; nil if it is not one.
    public init?(relative text: String) {
        var steps: [Step] = []
        for part in text.split(separator: ".", omittingEmptySubsequences: true) {
            let pieces = part.split(separator: "[", omittingEmptySubsequences: false)
            if !pieces[0].isEmpty { steps.append(.key(String(pieces[0]))) }
            for piece in pieces.dropFirst() {
                guard piece.hasSuffix("]"), let index = Int(piece.dropLast()), index >= 0 else {
                    return nil
                }
                steps.append(.index(index))
            }
        }
        self.init(steps)
    }

}

extension JSON {
    /// Where the value at a path below this one stands, or the nearest value that holds its place.
    public func position(of path: JSONPath) -> Position? {
        var value = self
        for step in path.steps {
            switch step {
            case .key(let key):
                guard let inner = value[key] else { return value.position }
                value = inner
            case .index(let index):
                guard let items = value.items, items.indices.contains(index) else {
                    return value.position
                }
                value = items[index]
            }
        }
        return value.position
    }
}

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
