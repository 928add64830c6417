/// Everything that was found wrong, together; nothing is reported one by one.
public struct Diagnostics: Error, Sendable, Equatable {
    /// What was found, in no particular order.
    public var list: [Diagnostic]

    /// These findings.
    public init(_ list: [Diagnostic] = []) { self.list = list }

    /// Whether nothing stops the work.
    public var hasErrors: Bool { list.contains { $0.severity == .error } }

    /// The same, each in this file unless it names another, in the order of the text.
    public func located(in file: String) -> Diagnostics {
        let located = list.map { diagnostic in
            var diagnostic = diagnostic
            diagnostic.file = diagnostic.file ?? file
            return diagnostic
        }
        return Diagnostics(located).sorted()
    }

    /// The same in the order of the text; those without a place come last.
    public func sorted() -> Diagnostics {
        let order = list.enumerated().sorted { left, right in
            let first = left.element.position?.offset ?? .max
            let second = right.element.position?.offset ?? .max
            return (first, left.offset) < (second, right.offset)
        }
        return Diagnostics(order.map(\.element))
    }
}

extension Diagnostics: CustomStringConvertible {
    /// One line each.
    public var description: String { list.map(\.description).joined(separator: "\n") }
}
