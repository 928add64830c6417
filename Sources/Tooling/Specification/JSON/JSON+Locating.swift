extension JSONPath {
    /// The steps of a path below some value, written `from[0].resource`; nil if it is not one.
    public init?(relative text: String) {
        var steps: [Step] = []
        for part in text.split(separator: ".", omittingEmptySubsequences: true) {
            let pieces = part.split(separator: "[", omittingEmptySubsequences: false)
            if !pieces[0].isEmpty { steps.append(.key(String(pieces[0]))) }
            for piece in pieces.dropFirst() {
                guard piece.hasSuffix("]"), let index = Int(piece.dropLast()), index >= 0 else {
                    return nil
                }
                steps.append(.index(index))
            }
        }
        self.init(steps)
    }

    /// This path and then that one.
    public func appending(_ path: JSONPath) -> JSONPath { JSONPath(steps + path.steps) }
}

extension JSON {
    /// Where the value at a path below this one stands, or the nearest value that holds its place.
    public func position(of path: JSONPath) -> Position? {
        var value = self
        for step in path.steps {
            switch step {
            case .key(let key):
                guard let inner = value[key] else { return value.position }
                value = inner
            case .index(let index):
                guard let items = value.items, items.indices.contains(index) else {
                    return value.position
                }
                value = items[index]
            }
        }
        return value.position
    }
}
