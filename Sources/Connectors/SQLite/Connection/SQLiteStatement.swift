internal import CSQLite
internal import PipelineCore

/// A prepared statement, reset before and after every use.
///
/// Values are copied once, into a buffer that the statement keeps, and lent to SQLite from there: a
/// row costs no allocation. See [binding](https://www.sqlite.org/c3ref/bind_blob.html) about
/// `SQLITE_STATIC`.
@safe public final class SQLiteStatement {
    private let handle: OpaquePointer
    private let sql: String
    private let parameterCount: Int
    private var scratch: UnsafeMutableRawBufferPointer

    init(on database: OpaquePointer, sql: String) throws {
        var prepared: OpaquePointer?
        let code = unsafe sqlite3_prepare_v3(
            database, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK, let prepared = unsafe prepared else {
            let doing = "prepare \(SQLiteConnection.excerpt(sql))"
            throw unsafe SQLiteFailure.last(of: database, while: doing)
        }
        unsafe handle = prepared
        self.sql = sql
        parameterCount = Int(unsafe sqlite3_bind_parameter_count(prepared))
        unsafe scratch = .allocate(byteCount: 256, alignment: 16)
    }

    deinit {
        unsafe sqlite3_finalize(handle)
        unsafe scratch.deallocate()
    }

    /// Runs the statement to its end. Answers how many rows it changed.
    @discardableResult
    public func run<each Value: SQLiteValue>(_ values: repeat each Value) throws -> Int {
        defer { unsafe sqlite3_reset(handle) }
        try bind(repeat each values)
        while try step() {}
        return Int(unsafe sqlite3_changes(sqlite3_db_handle(handle)))
    }

    /// What `read` makes of the first row; `nil` without one.
    public func first<each Value: SQLiteValue, Result>(
        _ values: repeat each Value, read: (borrowing SQLiteRow) throws -> Result
    ) throws -> Result? {
        defer { unsafe sqlite3_reset(handle) }
        try bind(repeat each values)
        guard try step() else { return nil }
        let result = try read(unsafe SQLiteRow(handle))
        // To its end: a statement that writes and returns rows is done only then.
        while try step() {}
        return result
    }

    /// Hands each row to `read`. The row is gone when `read` returns.
    public func forEach<each Value: SQLiteValue>(
        _ values: repeat each Value, read: (borrowing SQLiteRow) throws -> Void
    ) throws {
        defer { unsafe sqlite3_reset(handle) }
        try bind(repeat each values)
        while try step() { try read(unsafe SQLiteRow(handle)) }
    }

    /// Hands rows to `read` for as long as it answers `true`.
    public func scan<each Value: SQLiteValue>(
        _ values: repeat each Value, read: (borrowing SQLiteRow) throws -> Bool
    ) throws {
        defer { unsafe sqlite3_reset(handle) }
        try bind(repeat each values)
        while try step() {
            guard try read(unsafe SQLiteRow(handle)) else { return }
        }
    }

    private func step() throws -> Bool {
        switch unsafe sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default:
            let doing = "run \(SQLiteConnection.excerpt(sql))"
            throw unsafe SQLiteFailure.last(of: sqlite3_db_handle(handle), while: doing)
        }
    }

    private func bind<each Value: SQLiteValue>(_ values: repeat each Value) throws {
        var bytes = 0
        for value in repeat each values { bytes += value.byteCount }
        reserve(bytes)
        var binder = unsafe SQLiteBinder(handle, scratch)
        for value in repeat each values { value.bind(to: &binder) }
        precondition(
            binder.count == parameterCount, "\(parameterCount) parameters in \(sql)")
        guard binder.code == SQLITE_OK else {
            throw SQLiteFailure.error(
                binder.code, "a value was refused",
                while: "bind the parameters of \(SQLiteConnection.excerpt(sql))")
        }
    }

    /// Growing frees what earlier bindings point to; every use binds all parameters again before it
    /// steps.
    private func reserve(_ bytes: Int) {
        guard unsafe bytes > scratch.count else { return }
        unsafe scratch.deallocate()
        unsafe scratch = .allocate(byteCount: max(bytes, 512).nextPowerOfTwo, alignment: 16)
    }
}

extension Int {
    fileprivate var nextPowerOfTwo: Int { 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount) }
}

/// Takes a statement's values in order.
@safe public struct SQLiteBinder: ~Copyable {
    private let statement: OpaquePointer
    private let scratch: UnsafeMutableRawBufferPointer
    private var used = 0
    /// Values taken so far.
    private(set) var count = 0
    /// The first error, or `SQLITE_OK`.
    fileprivate private(set) var code = SQLITE_OK

    init(_ statement: OpaquePointer, _ scratch: UnsafeMutableRawBufferPointer) {
        unsafe self.statement = statement
        unsafe self.scratch = scratch
    }

    public mutating func bindNull() {
        note(unsafe sqlite3_bind_null(statement, next()))
    }

    public mutating func bind(_ value: Int64) {
        note(unsafe sqlite3_bind_int64(statement, next(), value))
    }

    public mutating func bind(_ value: Double) {
        note(unsafe sqlite3_bind_double(statement, next(), value))
    }

    /// Binds UTF-8 as text.
    public mutating func bind(text: Span<UInt8>) {
        let place = unsafe copy(text.bytes)
        note(
            unsafe sqlite3_bind_text64(
                statement, next(), place.assumingMemoryBound(to: CChar.self),
                UInt64(text.count), nil, UInt8(SQLITE_UTF8)))
    }

    public mutating func bind(blob: RawSpan) {
        let place = unsafe copy(blob)
        note(
            unsafe sqlite3_bind_blob64(statement, next(), place, UInt64(blob.byteCount), nil))
    }

    /// Binds sixteen bytes in network order.
    mutating func bind(high: UInt64, low: UInt64) {
        let place = unsafe take(16)
        unsafe place.storeBytes(of: high.bigEndian, as: UInt64.self)
        unsafe place.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        note(unsafe sqlite3_bind_blob64(statement, next(), place, 16, nil))
    }

    private mutating func next() -> Int32 {
        count += 1
        return Int32(count)
    }

    private mutating func note(_ result: Int32) {
        if code == SQLITE_OK { code = result }
    }

    private mutating func take(_ bytes: Int) -> UnsafeMutableRawPointer {
        precondition(unsafe used + bytes <= scratch.count, "a value's byteCount is too small")
        defer { used += bytes }
        return unsafe scratch.baseAddress! + used
    }

    private mutating func copy(_ bytes: RawSpan) -> UnsafeMutableRawPointer {
        let place = unsafe take(bytes.byteCount)
        unsafe bytes.withUnsafeBytes { source in
            if let base = source.baseAddress {
                unsafe place.copyMemory(from: base, byteCount: source.count)
            }
        }
        return unsafe place
    }
}
