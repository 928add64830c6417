/// Writes events somewhere. Must be a value: loggers copy it.
public protocol LogHandler: Sendable {
    /// The least severe level that is written. ``Logger`` asks before it evaluates a message.
    var logLevel: Logger.Level { get set }
    /// Metadata of every event.
    var metadata: Logger.Metadata { get set }
    subscript(metadataKey key: String) -> Logger.MetadataValue? { get set }

    /// Writes one event. `metadata` goes over the handler's own where both have a key.
    func log(
        level: Logger.Level, message: Logger.Message, metadata: Logger.Metadata?, source: String,
        file: String, function: String, line: UInt)
}

extension LogHandler {
    public subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
}
