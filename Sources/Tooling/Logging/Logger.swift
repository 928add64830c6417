/// Writes events of one subsystem through a handler; shaped like swift-log's `Logger`, so that the
/// two can be exchanged.
///
/// A value: a copy with other metadata leaves the original as it is. Messages and metadata are
/// evaluated only when the level is enabled.
public struct Logger: Sendable {
    /// The subsystem: `penstock.runtime`.
    public let label: String
    /// Where events go; also holds the level and the metadata of every event.
    public var handler: any LogHandler

    /// Logs to standard error, in the format that suits it.
    public init(label: String, level: Level = .info) {
        self.init(label: label, level: level) { StreamLogHandler.standardError(label: $0) }
    }

    /// Logs through the handler that `factory` makes for `label`.
    public init(label: String, level: Level = .info, factory: (String) -> any LogHandler) {
        self.label = label
        self.handler = factory(label)
        self.handler.logLevel = level
    }

    /// The least severe level that is written.
    public var logLevel: Level {
        get { handler.logLevel }
        set { handler.logLevel = newValue }
    }

    /// Metadata that every event of this logger carries.
    public subscript(metadataKey key: String) -> Metadata.Value? {
        get { handler[metadataKey: key] }
        set { handler[metadataKey: key] = newValue }
    }

    /// Writes an event, if `level` is enabled.
    ///
    /// - Parameters:
    ///   - metadata: goes over the logger's own where both have a key.
    ///   - source: the module; by default the one that `file` names.
    public func log(
        level: Level, _ message: @autoclosure () -> Message,
        metadata: @autoclosure () -> Metadata? = nil, source: @autoclosure () -> String? = nil,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        guard handler.logLevel <= level else { return }
        handler.log(
            level: level, message: message(), metadata: metadata(),
            source: source() ?? Self.module(of: file), file: file, function: function, line: line)
    }

    private static func module(of file: String) -> String {
        String(file.prefix { $0 != "/" })
    }
}
