public import Specification

extension Comparison {
    /// Both reports with the verdict, and their figures side by side as people read them.
    public var json: JSON {
        [
            "verdict": .string(verdict),
            "figures": .array(
                rows.map { row in
                    [
                        "name": .string(row.name.trimmed), "base": .string(row.base),
                        "other": .string(row.other), "difference": .string(row.difference),
                    ]
                }),
            "base": base.json, "other": other.json,
        ]
    }
}

extension String {
    fileprivate var trimmed: String { String(drop { $0 == " " }) }
}
