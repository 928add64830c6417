/// Why bytes or JSON text are no message, or a message cannot be encoded.
///
/// `description` is made for the person who sent the input:
/// `period.start_time: expected a time such as "2025-01-31T00:00:00Z", found "today" (at byte 57)`.
///
/// One word in size, so that typed throws cost the readers nothing.
public struct ProtobufError: Error, Sendable {
    /// What is wrong, for programs.
    public enum Code: String, Sendable {
        /// The input ends within a value.
        case truncated
        /// Bytes that the wire format does not allow.
        case malformedBinary = "malformed-binary"
        /// Text that JSON does not allow.
        case malformedJSON = "malformed-json"
        /// A string that is no UTF-8.
        case invalidUTF8 = "invalid-utf8"
        /// Nested deeper than allowed.
        case tooDeep = "too-deep"
        /// A JSON field that the message does not have.
        case unknownField = "unknown-field"
        /// A JSON field or map key that occurs twice, or two members of a oneof.
        case duplicateField = "duplicate-field"
        /// A JSON value of another type, or out of its range.
        case invalidValue = "invalid-value"
        /// A value that the format cannot express.
        case unencodable
    }

    public var code: Code { storage.code }
    /// What is wrong, for people, without the place.
    public var message: String { storage.message }
    /// The field, from the outermost message on: `definitions[3].period.start_time`. Empty: the
    /// message itself.
    public var path: String { storage.path }
    /// Bytes from the start of the input to where reading stopped. Nil when encoding.
    public var offset: Int? { storage.offset }

    private final class Storage: Sendable {
        let code: Code
        let message: String
        let path: String
        let offset: Int?

        init(code: Code, message: String, path: String, offset: Int?) {
            self.code = code
            self.message = message
            self.path = path
            self.offset = offset
        }
    }
    private let storage: Storage

    public init(_ code: Code, _ message: String, path: String = "", offset: Int? = nil) {
        storage = Storage(code: code, message: message, path: path, offset: offset)
    }

    /// The same error, seen from the message that has it in `field`.
    public func inside(_ field: String) -> ProtobufError {
        let joined: String
        switch path.utf8.first {
        case nil: joined = field
        case UInt8(ascii: "["): joined = field + path
        default: joined = field + "." + path
        }
        return ProtobufError(code, message, path: joined, offset: offset)
    }

    /// The same error, seen from the repeated field that has it in its element `index`.
    @usableFromInline
    func inside(element index: Int) -> ProtobufError { inside("[\(index)]") }
}

extension ProtobufError: CustomStringConvertible {
    public var description: String {
        (path.isEmpty ? "" : path + ": ") + message + (offset.map { " (at byte \($0))" } ?? "")
    }
}
