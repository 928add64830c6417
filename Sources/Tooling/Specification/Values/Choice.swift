/// One of a few words: `enum Start: String, Choice { case earliest, latest }`.
public protocol Choice: TextValue, RawRepresentable<String>, CaseIterable {}

extension Choice {
    public static var kind: String { "one of \(choices.joined(separator: ", "))" }
    public static var choices: [String] { allCases.map(\.rawValue) }
    public static var schema: JSON { ["enum": .array(choices.map(JSON.string))] }

    public init(parsing text: String) throws(Refusal) {
        guard let value = Self(rawValue: text) else {
            throw Refusal(
                .invalidValue, "is not \(Self.kind)",
                hint: Suggestion.nearest(to: text, among: Self.choices).map {
                    "did you mean \(JSON.quoted($0))?"
                })
        }
        self = value
    }

    public var text: String { rawValue }
}
