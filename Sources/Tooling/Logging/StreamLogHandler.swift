/// Writes a line an event to a stream.
public struct StreamLogHandler: LogHandler {
    public var logLevel: Logger.Level = .info
    public var metadata: Logger.Metadata = [:]
    private let label: String
    private let stream: LogStream
    private let format: LineFormat
    private let now: @Sendable () -> Int64

    /// Writes to standard error; colour only on a terminal whose user does not object.
    public static func standardError(label: String, format: LogFormat = .auto) -> Self {
        Self(label: label, stream: .standardError, format: format)
    }

    /// Writes to `stream`.
    public init(label: String, stream: LogStream, format: LogFormat = .auto) {
        self.init(
            label: label, stream: stream,
            format: LineFormat(
                format, isTerminal: stream.isTerminal, allowsColour: LogStream.allowsColour),
            now: LogStream.microsecondsNow)
    }

    init(
        label: String, stream: LogStream, format: LineFormat, now: @escaping @Sendable () -> Int64
    ) {
        self.label = label
        self.stream = stream
        self.format = format
        self.now = now
    }

    public func log(
        level: Logger.Level, message: Logger.Message, metadata: Logger.Metadata?, source: String,
        file: String, function: String, line: UInt
    ) {
        let event = LogEvent(
            microseconds: now(), level: level, label: label, message: message.description,
            metadata: metadata.map { self.metadata.merging($0) { $1 } } ?? self.metadata)
        stream.write(format.line(event))
    }
}
