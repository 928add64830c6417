internal import Specification

/// The name of a pipeline, a stage or a resource: it ends up in topic groups, tables and metrics.
struct Identifier: TextValue, Hashable {
    static let kind = "name"
    static let schema: JSON = ["type": "string", "pattern": "^[a-z][a-z0-9_-]{0,62}$"]

    let text: String

    init(_ text: String) { self.text = text }

    init(parsing text: String) throws(Refusal) {
        let isValid =
            (1...63).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            } && text.first?.isLetter == true
        guard isValid else {
            throw Refusal(
                .invalidValue, "is not a name",
                hint: "a name has 1 to 63 lower-case letters, digits, '-' or '_', "
                    + "and begins with a letter")
        }
        self.text = text
    }
}
