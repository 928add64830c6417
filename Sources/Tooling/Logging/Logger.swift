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

extension Logger {
    /// One sentence for a person; what a program should find belongs in the metadata.
    public struct Message: Sendable, Hashable, ExpressibleByStringInterpolation,
        CustomStringConvertible
    {
        public let description: String
        public init(stringLiteral value: String) { description = value }
    }
}

extension Logger {
    /// What an event is about, for programs.
    public typealias Metadata = [String: MetadataValue]

    /// One value of an event's metadata.
    public enum MetadataValue: Sendable {
        case string(String)
        case stringConvertible(any CustomStringConvertible & Sendable)
        case dictionary(Metadata)
        case array([MetadataValue])
    }
}

extension Logger.Metadata {
    public typealias Value = Logger.MetadataValue
}

extension Logger.MetadataValue: ExpressibleByStringInterpolation, ExpressibleByDictionaryLiteral,
    ExpressibleByArrayLiteral, CustomStringConvertible
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(dictionaryLiteral elements: (String, Self)...) {
        self = .dictionary(Logger.Metadata(elements) { _, last in last })
    }
    public init(arrayLiteral elements: Self...) { self = .array(elements) }

    /// The value as text; dictionaries in the order of their keys.
    public var description: String {
        switch self {
        case .string(let text): text
        case .stringConvertible(let value): value.description
        case .dictionary(let entries):
            "{"
                + entries.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
                .joined(separator: ", ") + "}"
        case .array(let values): "[" + values.map(\.description).joined(separator: ", ") + "]"
        }
    }
}

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
