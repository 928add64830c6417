internal import Synchronization

/// Keeps what is logged, for tests.
public final class LogCapture: Sendable {
    private let captured = Mutex<[LogEvent]>([])
    public init() {}

    /// What has been logged so far, in order; `microseconds` counts the events from 0.
    public var events: [LogEvent] { captured.withLock { $0 } }

    /// A logger whose events come here.
    public func logger(label: String = "test", level: Logger.Level = .trace) -> Logger {
        Logger(label: label, level: level) { CapturingLogHandler(label: $0, capture: self) }
    }

    fileprivate func add(_ event: LogEvent) {
        captured.withLock { events in
            var event = event
            event.microseconds = Int64(events.count)
            events.append(event)
        }
    }
}

/// Hands events to a ``LogCapture``.
public struct CapturingLogHandler: LogHandler {
    public var logLevel: Logger.Level = .trace
    public var metadata: Logger.Metadata = [:]
    private let label: String
    private let capture: LogCapture

    public init(label: String, capture: LogCapture) {
        self.label = label
        self.capture = capture
    }

    public func log(
        level: Logger.Level, message: Logger.Message, metadata: Logger.Metadata?, source: String,
        file: String, function: String, line: UInt
    ) {
        capture.add(
            LogEvent(
                microseconds: 0, level: level, label: label, message: message.description,
                metadata: metadata.map { self.metadata.merging($0) { $1 } } ?? self.metadata))
    }
}
