internal import Calendar
internal import Concurrency
internal import Glibc
internal import Synchronization

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

/// How events are written; the value of an option such as `--log-format`.
public enum LogFormat: String, Sendable, CaseIterable {
    /// A line for people: time, level, label, message, then `key=value`
    /// ([logfmt](https://brandur.org/logfmt)).
    case text
    /// A JSON object a line ([JSON Lines](https://jsonlines.org)).
    case json
    /// ``text`` on a terminal, ``json`` elsewhere.
    case auto
}

/// A format that has been decided on for one stream.
enum LineFormat: Sendable, Hashable {
    case text(isColoured: Bool)
    case json

    init(_ format: LogFormat, isTerminal: Bool, allowsColour: Bool) {
        switch format {
        case .text: self = .text(isColoured: isTerminal && allowsColour)
        case .json: self = .json
        case .auto: self = isTerminal ? .text(isColoured: allowsColour) : .json
        }
    }

    /// The event as one line, its end included. Nothing in the event can add a line or steer a
    /// terminal.
    func line(_ event: LogEvent) -> [UInt8] {
        switch self {
        case .text(let isColoured): TextLine(isColoured: isColoured).line(event)
        case .json: JSONLine.line(event)
        }
    }
}

/// A file descriptor that takes whole lines from any thread.
///
/// A paced one writes no more than two a second once a process has started, whatever goes wrong:
/// further ones wait for their turn.
public final class LogStream: Sendable {
    /// The process's standard error, paced.
    public static let standardError = LogStream(descriptor: STDERR_FILENO, isPaced: true)

    private struct State {
        var pace: LogPace?
        var isDraining = false
        /// Says how many lines were left out, in the form of the line before.
        var leftOut: @Sendable (Int) -> [UInt8] = { _ in [] }
    }
    private let descriptor: Int32
    // One writer at a time: a line longer than a pipe's buffer is written in parts.
    private let state: Mutex<State>

    /// Writes to `descriptor`, which stays the caller's to close.
    public init(descriptor: Int32, isPaced: Bool = false) {
        self.descriptor = descriptor
        state = Mutex(State(pace: isPaced ? LogPace() : nil))
    }

    /// Whether a person is looking.
    public var isTerminal: Bool { isatty(descriptor) == 1 }

    /// Whether the environment allows colour ([NO_COLOR](https://no-color.org)) and the terminal is
    /// known to have it: without a `TERM`, or with `dumb`, nothing is known.
    public static var allowsColour: Bool {
        Self.environment("NO_COLOR")?.isEmpty != false
            && !["", "dumb"].contains(Self.environment("TERM") ?? "")
    }

    /// Writes a line, or has it wait for its turn.
    ///
    /// - Parameters:
    ///   - level: what is critical does not wait, and neither does what waited before it.
    ///   - leftOut: the line that says how many were left out.
    fileprivate func write(
        _ line: [UInt8], _ level: Logger.Level, leftOut: @escaping @Sendable (Int) -> [UInt8]
    ) {
        state.withLock { state in
            guard state.pace != nil else { return put(line) }
            state.leftOut = leftOut
            state.pace!.add(line, isImportant: level >= .notice)
            if level == .critical { return flush(&state) }
            if state.isDraining || writeDue(&state) == nil { return }
            // Without a thread nothing waits.
            do { try drain(&state) } catch { flush(&state) }
        }
    }

    /// Writes a line that does not wait.
    fileprivate func writeNow(_ line: [UInt8]) { state.withLock { _ in put(line) } }

    /// Writes everything that waits, for a process that ends without exit handlers.
    public func flush() { state.withLock { flush(&$0) } }

    private func flush(_ state: inout State) {
        guard let (lines, leftOut) = state.pace?.takeAll() else { return }
        for line in lines { put(line) }
        if leftOut > 0 { put(state.leftOut(leftOut)) }
    }

    /// Writes what may go now.
    /// - Returns: how long the rest has to wait, in nanoseconds; `nil` without a rest.
    private func writeDue(_ state: inout State) -> Int64? {
        while let step = state.pace?.next(now: Int64(MonotonicTime.nanosecondsNow)) {
            switch step {
            case .write(let line): put(line)
            case .tell(let count): put(state.leftOut(count))
            case .wait(let nanoseconds): return nanoseconds
            }
        }
        return nil
    }

    /// Has a thread write what waits, until nothing does.
    private func drain(_ state: inout State) throws {
        _ = try NativeThread(name: "log") { [self] in
            while let rest = self.state.withLock({ state in
                let rest = writeDue(&state)
                state.isDraining = rest != nil
                return rest
            }) { usleep(UInt32(rest / 1000 + 1)) }
        }
        state.isDraining = true
    }

    /// Writes the line with one `write(2)`, unless the descriptor takes only part of it. What can't
    /// be written is lost: logging never stops what it tells about.
    private func put(_ line: [UInt8]) {
        var written = 0
        while written < line.count {
            let count = unsafe line.withUnsafeBytes { bytes in
                unsafe Glibc.write(
                    descriptor, bytes.baseAddress! + written, bytes.count - written)
            }
            if count >= 0 {
                written += count
            } else if errno == EAGAIN {
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard unsafe poll(&waiting, 1, 1000) == 1 else { return }
            } else if errno != EINTR {
                return
            }
        }
    }

    private static func environment(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}

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
            now: { CivilTime.microsecondsNow })
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
        let line = format.line(event)
        // Whoever looks for a fault wants to see everything.
        if logLevel < .info { return stream.writeNow(line) }
        stream.write(line, level) { [now, label, format] count in
            format.line(
                LogEvent(
                    microseconds: now(), level: .warning, label: label,
                    message: "log lines were left out: too many at once",
                    metadata: ["lines": .stringConvertible(count)]))
        }
    }
}

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
