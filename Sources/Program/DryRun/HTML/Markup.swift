/// HTML or SVG, escaped by construction: what stands in a literal is markup, every text that is
/// interpolated into one is content.
struct Markup: Sendable, ExpressibleByStringInterpolation {
    /// As a browser reads it.
    private(set) var source: String

    init(stringLiteral source: String) { self.source = source }
    init(stringInterpolation: StringInterpolation) { source = stringInterpolation.source }

    /// The markup if a condition holds. A conditional expression of two literals would be a text.
    static func when(_ condition: Bool, _ markup: @autoclosure () -> Markup) -> Markup {
        condition ? markup() : ""
    }

    static func += (left: inout Markup, right: Markup) { left.source += right.source }

    struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var source = ""

        init(literalCapacity: Int, interpolationCount: Int) {
            source.reserveCapacity(literalCapacity + interpolationCount * 8)
        }

        mutating func appendLiteral(_ literal: String) { source += literal }
        /// Content or an attribute's value, which stands in double quotes.
        mutating func appendInterpolation(_ text: String) { source += Self.escaped(text) }
        mutating func appendInterpolation(_ number: Int) { source += String(number) }
        /// A coordinate, to a hundredth.
        mutating func appendInterpolation(_ number: Double) {
            let hundredths = Int((number * 100).rounded())
            let (whole, rest) = hundredths.quotientAndRemainder(dividingBy: 100)
            if hundredths < 0, whole == 0 { source += "-" }
            source += String(whole)
            if rest != 0 {
                let digits = String(abs(rest) + 100).dropFirst()
                source += "." + (digits.hasSuffix("0") ? digits.dropLast() : digits)
            }
        }
        mutating func appendInterpolation(_ markup: Markup) { source += markup.source }
        mutating func appendInterpolation(_ markups: [Markup]) {
            for markup in markups { source += markup.source }
        }
        mutating func appendInterpolation(_ markup: Markup?) { source += markup?.source ?? "" }

        /// With these five a text ends neither an element nor a quoted attribute
        /// ([specification](https://html.spec.whatwg.org/multipage/syntax.html#attributes-2)).
        private static func escaped(_ text: String) -> String {
            var escaped = ""
            for scalar in text.printable.unicodeScalars {
                switch scalar {
                case "&": escaped += "&amp;"
                case "<": escaped += "&lt;"
                case ">": escaped += "&gt;"
                case "\"": escaped += "&quot;"
                case "'": escaped += "&#39;"
                default: escaped.unicodeScalars.append(scalar)
                }
            }
            return escaped
        }
    }
}
