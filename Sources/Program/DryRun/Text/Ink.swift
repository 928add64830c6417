/// How words look on a terminal, if it shows colours.
struct Ink {
    enum Shade: String {
        case bold = "1"
        case faint = "2"
        case good = "32"
        case bad = "31"
        case goodBold = "1;32"
        case badBold = "1;31"
        case blue = "34"
        case cyan = "36"
        case yellow = "33"
    }

    var isColoured: Bool

    /// The text in a shade; as it stands without colours.
    func callAsFunction(_ text: String, _ shade: Shade) -> String {
        isColoured && !text.isEmpty ? "\u{1B}[\(shade.rawValue)m\(text)\u{1B}[0m" : text
    }
}
