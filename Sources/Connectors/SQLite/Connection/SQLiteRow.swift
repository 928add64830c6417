internal import CSQLite
public import PipelineCore

/// The row that a statement stands on. Columns count from 0; SQLite converts between types as
/// [documented](https://www.sqlite.org/c3ref/column_blob.html).
@safe public struct SQLiteRow: ~Copyable {
    private let statement: OpaquePointer
    init(_ statement: OpaquePointer) { unsafe self.statement = statement }

    public func isNull(_ column: Int) -> Bool {
        unsafe sqlite3_column_type(statement, Int32(column)) == SQLITE_NULL
    }

    /// 0 for NULL.
    public func int64(_ column: Int) -> Int64 {
        unsafe sqlite3_column_int64(statement, Int32(column))
    }

    /// 0 for NULL. Traps beyond `Int`.
    public func int(_ column: Int) -> Int { Int(int64(column)) }

    /// 0 for NULL.
    public func double(_ column: Int) -> Double {
        unsafe sqlite3_column_double(statement, Int32(column))
    }

    /// Empty for NULL.
    public func text(_ column: Int) -> String {
        guard let text = unsafe sqlite3_column_text(statement, Int32(column)) else { return "" }
        let count = unsafe Int(sqlite3_column_bytes(statement, Int32(column)))
        return unsafe String(
            decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self)
    }

    /// A copy of the bytes; empty for NULL.
    public func blob(_ column: Int) -> Bytes {
        withBytes(column) { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } }[...]
    }

    /// Appends the bytes to an array that many rows share. Answers where they lie.
    public func append(_ column: Int, to storage: inout [UInt8]) -> Range<Int> {
        let start = storage.count
        withBytes(column) { bytes in
            unsafe bytes.withUnsafeBytes { unsafe storage.append(contentsOf: $0) }
        }
        return start..<storage.count
    }

    /// Lends the bytes; empty for NULL.
    public func withBytes<Result>(
        _ column: Int, _ body: (borrowing RawSpan) throws -> Result
    ) rethrows -> Result {
        // The pointer first: asking for the length may otherwise convert the value and move it.
        let start = unsafe sqlite3_column_blob(statement, Int32(column))
        let count = unsafe Int(sqlite3_column_bytes(statement, Int32(column)))
        let bytes = unsafe RawSpan(_unsafeStart: start ?? Self.nowhere, byteCount: count)
        return try body(bytes)
    }

    /// `nil` for NULL and anything that is not sixteen bytes.
    public func uuid(_ column: Int) -> UUID? {
        halves(column).map { UUID(high: $0.high, low: $0.low) }
    }

    /// `nil` for NULL and anything that is not sixteen bytes.
    public func digest(_ column: Int) -> Digest? {
        halves(column).map { Digest(high: $0.high, low: $0.low) }
    }

    /// `nil` for NULL.
    public func textOrNil(_ column: Int) -> String? { isNull(column) ? nil : text(column) }

    /// `nil` for NULL.
    public func timestamp(_ column: Int) -> Timestamp? {
        isNull(column) ? nil : Timestamp(microseconds: int64(column))
    }

    private func halves(_ column: Int) -> (high: UInt64, low: UInt64)? {
        withBytes(column) { bytes in
            guard bytes.byteCount == 16 else { return nil }
            let high = unsafe bytes.unsafeLoadUnaligned(as: UInt64.self)
            let low = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self)
            return (UInt64(bigEndian: high), UInt64(bigEndian: low))
        }
    }

    /// Stands in for the null pointer of an empty blob; never read.
    private static var nowhere: UnsafeRawPointer { unsafe UnsafeRawPointer(bitPattern: 16)! }
}

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
