internal import PipelineCore
internal import Specification

/// A cache key with a place for the case's id: `report:{case_id}`.
struct CaseKey: TextValue, Hashable {
    static var kind: String { "key with {case_id}" }
    static let report = CaseKey(before: "report:", after: "")
    private static let place = "{case_id}"

    let before: String
    let after: String

    private init(before: String, after: String) {
        self.before = before
        self.after = after
    }

    init(parsing text: String) throws(Refusal) {
        let parts = text.split(separator: Self.place, omittingEmptySubsequences: false)
        guard parts.count == 2, text.utf8.count <= 512 else {
            throw Refusal(
                .invalidValue, "does not hold {case_id} once",
                hint: "for example \"report:{case_id}\"")
        }
        self.init(before: String(parts[0]), after: String(parts[1]))
    }

    var text: String { before + Self.place + after }

    func callAsFunction(_ id: UUID) -> String { "\(before)\(id)\(after)" }
}
