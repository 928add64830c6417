public import Specification

/// How long a generation run takes: a fixed part, and a part for each case. `30s + 10ms*n`
public struct GenerationCostModel: TextValue, Sendable, Hashable {
    public static let kind = "cost of a generation run"

    public static let usual = GenerationCostModel(fixed: .seconds(30), perCase: .milliseconds(10))

    public let fixed: Duration
    public let perCase: Duration

    public init(fixed: Duration, perCase: Duration) {
        self.fixed = fixed
        self.perCase = perCase
    }

    public init(parsing text: String) throws(Refusal) {
        var fixed = Duration.zero
        var perCase = Duration.zero
        for term in text.split(separator: "+", omittingEmptySubsequences: false) {
            var term = term.filter { $0 != " " }
            if term.hasSuffix("*n") {
                term.removeLast(2)
                perCase += try Self.duration(term)
            } else {
                fixed += try Self.duration(term)
            }
        }
        self.init(fixed: fixed, perCase: perCase)
    }

    private static func duration(_ text: String) throws(Refusal) -> Duration {
        do { return try Duration(parsing: text) } catch {
            throw Refusal(
                error.code, "is no cost of a generation run",
                hint: "write a fixed part and a part for each case: 30s + 10ms*n")
        }
    }

    public func cost(of cases: Int) -> Duration { fixed + perCase * cases }

    public var text: String { "\(fixed.text) + \(perCase.text)*n" }
}
