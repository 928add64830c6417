extension Logger {
    /// How much an event matters, least first.
    public enum Level: String, Sendable, CaseIterable, Comparable {
        /// Every step of an algorithm.
        case trace
        /// What somebody who looks for a fault wants to see.
        case debug
        /// What happens in normal operation.
        case info
        /// Normal, but worth a look.
        case notice
        /// Something failed and was made good: a retry, a fallback.
        case warning
        /// Something failed.
        case error
        /// The process can't go on.
        case critical

        private var severity: Int {
            switch self {
            case .trace: 0
            case .debug: 1
            case .info: 2
            case .notice: 3
            case .warning: 4
            case .error: 5
            case .critical: 6
            }
        }

        public static func < (a: Level, b: Level) -> Bool { a.severity < b.severity }
    }

    /// Writes an event of level ``Level/trace``.
    public func trace(
        _ message: @autoclosure () -> Message, metadata: @autoclosure () -> Metadata? = nil,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(
            level: .trace, message(), metadata: metadata(), file: file, function: function,
            line: line)
    }

    /// Writes an event of level ``Level/debug``.
    public func debug(
        _ message: @autoclosure () -> Message, metadata: @autoclosure () -> Metadata? = nil,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(
            level: .debug, message(), metadata: metadata(), file: file, function: function,
            line: line)
    }

    /// Writes an event of level ``Level/info``.
    public func info(
        _ message: @autoclosure () -> Message, metadata: @autoclosure () -> Metadata? = nil,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(
            level: .info, message(), metadata: metadata(), file: file, function: function,
            line: line)
    }

    /// Writes an event of level ``Level/notice``.
    public func notice(
        _ message: @autoclosure () -> Message, metadata: @autoclosure () -> Metadata? = nil,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(
            level: .notice, message(), metadata: metadata(), file: file, function: function,
            line: line)
    }

    /// Writes an event of level ``Level/warning``.
    public func warning(
        _ message: @autoclosure () -> Message, metadata: @autoclosure () -> Metadata? = nil,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(
            level: .warning, message(), metadata: metadata(), file: file, function: function,
            line: line)
    }

    /// Writes an event of level ``Level/error``.
    public func error(
        _ message: @autoclosure () -> Message, metadata: @autoclosure () -> Metadata? = nil,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(
            level: .error, message(), metadata: metadata(), file: file, function: function,
            line: line)
    }

    /// Writes an event of level ``Level/critical``.
    public func critical(
        _ message: @autoclosure () -> Message, metadata: @autoclosure () -> Metadata? = nil,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(
            level: .critical, message(), metadata: metadata(), file: file, function: function,
            line: line)
    }
}
