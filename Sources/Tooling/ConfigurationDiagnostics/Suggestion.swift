public import LocatedJSON

/// What somebody probably meant by a name that does not exist.
public enum Suggestion {
    /// The nearest of the candidates, if it is near enough to be a slip of the hand.
    ///
    /// Near enough is one edit in three characters, with a neighbouring swap as one edit.
    public static func nearest(to name: String, among candidates: some Sequence<String>) -> String?
    {
        var best: (distance: Int, name: String)?
        for candidate in candidates {
            let distance = distance(name.lowercased(), candidate.lowercased())
            let allowed = max(1, max(name.count, candidate.count) / 3)
            if distance <= allowed, distance < best?.distance ?? .max {
                best = (distance, candidate)
            }
        }
        return best?.name
    }

    /// A hint that names the nearest candidate and all that are valid.
    ///
    /// - Parameters:
    ///   - quote: How a name is shown, in quotes unless said otherwise.
    public static func hint(
        for name: String, among candidates: [String],
        quote: (String) -> String = { JSON.quoted($0) }
    ) -> String? {
        guard !candidates.isEmpty else { return nil }
        let valid = candidates.sorted().joined(separator: ", ")
        guard let nearest = nearest(to: name, among: candidates) else { return "valid: \(valid)" }
        return "did you mean \(quote(nearest))? (valid: \(valid))"
    }

    /// The optimal string alignment distance.
    static func distance(_ left: String, _ right: String) -> Int {
        // Bounded, so that a long word costs no more than a short one.
        let a = Array(left.unicodeScalars.prefix(64))
        let b = Array(right.unicodeScalars.prefix(64))
        if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
        var rows = [Array(0...b.count)]
        for i in 1...a.count {
            var row = [i]
            for j in 1...b.count {
                let change = rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
                var least = min(rows[i - 1][j] + 1, row[j - 1] + 1, change)
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    least = min(least, rows[i - 2][j - 2] + 1)
                }
                row.append(least)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
