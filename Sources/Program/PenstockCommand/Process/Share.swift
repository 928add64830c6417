internal import Specification

/// A part of a whole, written `5%` or `0.05`.
struct Share: TextValue, Equatable {
    static let kind = "share"
    /// From 0 to 1.
    let value: Double
    let text: String

    init(_ value: Double) {
        self.value = value
        let hundredths = (value * 10_000).rounded() / 100
        text = hundredths == hundredths.rounded() ? "\(Int(hundredths))%" : "\(hundredths)%"
    }

    init(parsing text: String) throws(Refusal) {
        let isPercent = text.hasSuffix("%")
        guard let number = Double(isPercent ? String(text.dropLast()) : text) else {
            throw Refusal(.invalidValue, "is not a share", hint: "for example 5%")
        }
        let value = isPercent ? number / 100 : number
        guard (0...1).contains(value) else {
            throw Refusal(.outOfRange, "lies outside 0% to 100%")
        }
        self.init(value)
    }
}
