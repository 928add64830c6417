internal import CSQLite

/// Takes a statement's values in order.
@safe public struct SQLiteBinder: ~Copyable {
    private let statement: OpaquePointer
    private let scratch: UnsafeMutableRawBufferPointer
    private var used = 0
    /// Values taken so far.
    private(set) var count = 0
    /// The first error, or `SQLITE_OK`.
    private(set) var code = SQLITE_OK

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
