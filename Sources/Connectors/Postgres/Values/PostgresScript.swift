public import PipelineCore

/// SQL text of several statements that are sent as one message, for which PostgreSQL knows no
/// parameters: what is interpolated becomes a quoted literal, never SQL.
///
/// ```swift
/// let script: PostgresScript = "UPDATE p SET next = \(next) WHERE source = \(name); COPY …"
/// ```
public struct PostgresScript: Sendable, ExpressibleByStringInterpolation {
    var text: String

    public init(stringLiteral value: String) { text = value }
    public init(stringInterpolation: Interpolation) { text = stringInterpolation.text }

    /// Expressions that set server settings, for one transaction or for the session; empty for
    /// none.
    static func settings(_ settings: [String: String], local: Bool) -> PostgresScript {
        settings.sorted { $0.key < $1.key }.reduce("") { script, setting in
            let comma: PostgresScript = script.text.isEmpty ? "" : ", "
            let scope: PostgresScript = local ? "true" : "false"
            return "\(script)\(comma)set_config(\(setting.key), \(setting.value), \(scope))"
        }
    }

    /// The same functions, in the place of older ones of the same signature.
    public var replacingFunctions: PostgresScript {
        var script = self
        script.text = text.replacing("create function", with: "create or replace function")
        return script
    }

    public struct Interpolation: StringInterpolationProtocol {
        fileprivate var text = ""
        public init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + 16 * interpolationCount)
        }

        public mutating func appendLiteral(_ literal: String) { text += literal }

        /// A number literal; negative ones in parentheses.
        public mutating func appendInterpolation(_ value: some FixedWidthInteger) {
            text += value < 0 ? "(\(value))" : "\(value)"
        }

        /// A string literal. NUL characters, which the server has no way to store, are left out.
        public mutating func appendInterpolation(_ value: String) {
            // With a backslash only an E literal means the same under every
            // standard_conforming_strings.
            let isEscaped = value.utf8.contains(UInt8(ascii: "\\"))
            text += isEscaped ? " E'" : "'"
            for scalar in value.unicodeScalars where scalar != "\0" {
                if scalar == "'" || scalar == "\\" { text.unicodeScalars.append(scalar) }
                text.unicodeScalars.append(scalar)
            }
            text += "'"
        }

        /// A `uuid` literal.
        public mutating func appendInterpolation(_ value: UUID) { text += "'\(value)'::uuid" }

        /// A quoted identifier: a table's or a schema's name.
        public mutating func appendInterpolation(identifier value: String) {
            text += "\""
            for scalar in value.unicodeScalars where scalar != "\0" {
                if scalar == "\"" { text.unicodeScalars.append(scalar) }
                text.unicodeScalars.append(scalar)
            }
            text += "\""
        }

        /// SQL made by another script.
        public mutating func appendInterpolation(_ script: PostgresScript) { text += script.text }
    }
}
