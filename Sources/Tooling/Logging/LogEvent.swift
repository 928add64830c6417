/// An event as a handler received it, its metadata merged with the handler's own.
public struct LogEvent: Sendable {
    /// Microseconds since 1970-01-01T00:00:00Z.
    public var microseconds: Int64
    public var level: Logger.Level
    public var label: String
    public var message: String
    public var metadata: Logger.Metadata

    public init(
        microseconds: Int64, level: Logger.Level, label: String, message: String,
        metadata: Logger.Metadata
    ) {
        self.microseconds = microseconds
        self.level = level
        self.label = label
        self.message = message
        self.metadata = metadata
    }

    var sortedMetadata: [(key: String, value: Logger.MetadataValue)] {
        metadata.sorted { $0.key < $1.key }
    }
}
