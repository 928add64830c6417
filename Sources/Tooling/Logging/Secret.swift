/// Stands for a value that must not be printed.
///
/// It does not hold the value at all, so that no handler, present or future, can write it.
public struct Secret: Sendable, Hashable, CustomStringConvertible {
    public init() {}
    public var description: String { "***" }
}

extension Logger.MetadataValue {
    /// A value that is there and is not shown: prints `***`.
    public static func secret<Value>(_: Value) -> Self { .stringConvertible(Secret()) }
}
