extension Logger {
    /// One sentence for a person; what a program should find belongs in the metadata.
    public struct Message: Sendable, Hashable, ExpressibleByStringInterpolation,
        CustomStringConvertible
    {
        public let description: String
        public init(stringLiteral value: String) { description = value }
    }
}
