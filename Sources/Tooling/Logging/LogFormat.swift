/// How events are written; the value of an option such as `--log-format`.
public enum LogFormat: String, Sendable, CaseIterable {
    /// A line for people: time, level, label, message, then `key=value`
    /// ([logfmt](https://brandur.org/logfmt)).
    case text
    /// A JSON object a line ([JSON Lines](https://jsonlines.org)).
    case json
    /// ``text`` on a terminal, ``json`` elsewhere.
    case auto
}

/// A format that has been decided on for one stream.
enum LineFormat: Sendable, Hashable {
    case text(isColoured: Bool)
    case json

    init(_ format: LogFormat, isTerminal: Bool, allowsColour: Bool) {
        switch format {
        case .text: self = .text(isColoured: isTerminal && allowsColour)
        case .json: self = .json
        case .auto: self = isTerminal ? .text(isColoured: allowsColour) : .json
        }
    }

    /// The event as one line, its end included. Nothing in the event can add a line or steer a
    /// terminal.
    func line(_ event: LogEvent) -> [UInt8] {
        switch self {
        case .text(let isColoured): TextLine(isColoured: isColoured).line(event)
        case .json: JSONLine.line(event)
        }
    }
}
