extension Logger {
    /// What an event is about, for programs.
    public typealias Metadata = [String: MetadataValue]

    /// One value of an event's metadata.
    public enum MetadataValue: Sendable {
        case string(String)
        case stringConvertible(any CustomStringConvertible & Sendable)
        case dictionary(Metadata)
        case array([MetadataValue])
    }
}

extension Logger.Metadata {
    public typealias Value = Logger.MetadataValue
}

extension Logger.MetadataValue: ExpressibleByStringInterpolation, ExpressibleByDictionaryLiteral,
    ExpressibleByArrayLiteral, CustomStringConvertible
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(dictionaryLiteral elements: (String, Self)...) {
        self = .dictionary(Logger.Metadata(elements) { _, last in last })
    }
    public init(arrayLiteral elements: Self...) { self = .array(elements) }

    /// The value as text; dictionaries in the order of their keys.
    public var description: String {
        switch self {
        case .string(let text): text
        case .stringConvertible(let value): value.description
        case .dictionary(let entries):
            "{"
                + entries.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
                .joined(separator: ", ") + "}"
        case .array(let values): "[" + values.map(\.description).joined(separator: ", ") + "]"
        }
    }
}
