/// Bounds of a field: `1...10_000`, `1...` or `...100`.
public protocol FieldRange<Bound> {
    /// What is bounded.
    associatedtype Bound: Comparable
    /// The least value, if there is one.
    var minimum: Bound? { get }
    /// The greatest value, if there is one.
    var maximum: Bound? { get }
}

extension ClosedRange: FieldRange {
    public var minimum: Bound? { lowerBound }
    public var maximum: Bound? { upperBound }
}

extension PartialRangeFrom: FieldRange {
    public var minimum: Bound? { lowerBound }
    public var maximum: Bound? { nil }
}

extension PartialRangeThrough: FieldRange {
    public var minimum: Bound? { nil }
    public var maximum: Bound? { upperBound }
}
