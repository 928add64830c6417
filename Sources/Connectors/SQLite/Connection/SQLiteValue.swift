public import PipelineCore

/// What can be a parameter of a statement.
public protocol SQLiteValue {
    /// Bytes to copy for the duration of a use; 0 for numbers.
    var byteCount: Int { get }
    /// Hands itself to the binder, exactly once.
    func bind(to binder: inout SQLiteBinder)
}

extension SQLiteValue {
    public var byteCount: Int { 0 }
}

extension Int64: SQLiteValue {
    public func bind(to binder: inout SQLiteBinder) { binder.bind(self) }
}

extension Int32: SQLiteValue {
    public func bind(to binder: inout SQLiteBinder) { binder.bind(Int64(self)) }
}

extension Int: SQLiteValue {
    public func bind(to binder: inout SQLiteBinder) { binder.bind(Int64(self)) }
}

extension Double: SQLiteValue {
    public func bind(to binder: inout SQLiteBinder) { binder.bind(self) }
}

extension String: SQLiteValue {
    public var byteCount: Int { utf8.count }
    public func bind(to binder: inout SQLiteBinder) { binder.bind(text: utf8.span) }
}

extension Bytes: SQLiteValue {
    public var byteCount: Int { count }
    public func bind(to binder: inout SQLiteBinder) { unsafe binder.bind(blob: span.bytes) }
}

extension [UInt8]: SQLiteValue {
    public var byteCount: Int { count }
    public func bind(to binder: inout SQLiteBinder) { unsafe binder.bind(blob: span.bytes) }
}

/// Stored as a blob of sixteen bytes in network order.
extension UUID: SQLiteValue {
    public var byteCount: Int { 16 }
    public func bind(to binder: inout SQLiteBinder) { binder.bind(high: high, low: low) }
}

/// Stored as a blob of sixteen bytes, high half first.
extension Digest: SQLiteValue {
    public var byteCount: Int { 16 }
    public func bind(to binder: inout SQLiteBinder) { binder.bind(high: high, low: low) }
}

/// Stored as microseconds since 1970.
extension Timestamp: SQLiteValue {
    public func bind(to binder: inout SQLiteBinder) { binder.bind(microseconds) }
}

/// `nil` is stored as NULL.
extension Optional: SQLiteValue where Wrapped: SQLiteValue {
    public var byteCount: Int { self?.byteCount ?? 0 }
    public func bind(to binder: inout SQLiteBinder) {
        if let self { self.bind(to: &binder) } else { binder.bindNull() }
    }
}
