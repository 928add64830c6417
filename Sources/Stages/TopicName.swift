internal import Specification

/// A topic, as every bus takes it: [Kafka's names](https://kafka.apache.org/documentation/), and room for
/// `.dead-letters` behind it.
struct TopicName: TextValue, Hashable {
    static var kind: String { "name of a topic" }
    static var schema: JSON { ["type": "string", "pattern": "^[A-Za-z0-9._-]{1,236}$"] }
    private static let longest = 236

    let text: String

    /// A name that is known to be one.
    init(_ text: String) { self.text = text }

    init(parsing text: String) throws(Refusal) {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isPlain, (1...Self.longest).contains(text.utf8.count), text != ".", text != ".."
        else {
            throw Refusal(
                .invalidValue, "is not the name of a topic",
                hint: "1 to \(Self.longest) letters, digits, '.', '_' or '-'")
        }
        self.text = text
    }
}
