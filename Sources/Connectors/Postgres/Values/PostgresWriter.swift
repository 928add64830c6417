public import PipelineCore

/// Writes values in PostgreSQL's binary format, each behind its length: elements of arrays and
/// columns of COPY rows.
///
/// The labels are the server's type names; they must be the column's or the array's. `nil` is
/// NULL. Everything goes into one buffer of the connection, without an allocation per value.
public struct PostgresWriter {
    let buffer: ByteBuffer

    /// Starts a COPY row of that many columns.
    public func row(columns: Int) { buffer.put(Int16(columns)) }

    public func writeNull() { buffer.put(Int32(-1)) }

    public func write(bool value: Bool?) {
        guard let value else { return writeNull() }
        buffer.put(Int32(1))
        buffer.put(UInt8(value ? 1 : 0))
    }

    /// `"char"`: one byte.
    public func write(char value: UInt8?) {
        guard let value else { return writeNull() }
        buffer.put(Int32(1))
        buffer.put(value)
    }

    public func write(int2 value: Int16?) { write(integer: value) }
    public func write(int4 value: Int32?) { write(integer: value) }
    public func write(int8 value: Int64?) { write(integer: value) }
    public func write(float8 value: Double?) { write(integer: value?.bitPattern) }
    public func write(timestamptz value: Timestamp?) { write(integer: value?.postgres) }

    private func write<T: FixedWidthInteger & BitwiseCopyable>(integer value: T?) {
        guard let value else { return writeNull() }
        buffer.put(Int32(T.bitWidth / 8))
        buffer.put(value)
    }

    public func write(uuid value: UUID?) {
        guard let value else { return writeNull() }
        write(uuidHigh: value.high, low: value.low)
    }

    /// 128 bits as a `uuid`.
    public func write(digest value: Digest?) {
        guard let value else { return writeNull() }
        write(uuidHigh: value.high, low: value.low)
    }

    private func write(uuidHigh high: UInt64, low: UInt64) {
        buffer.put(Int32(16))
        buffer.put(high)
        buffer.put(low)
    }

    /// The server refuses a text with a NUL character (`permanent`, `store-data`).
    public func write(text value: String?) {
        guard var value else { return writeNull() }
        value.withUTF8 { bytes in
            buffer.put(Int32(bytes.count))
            unsafe buffer.put(UnsafeRawBufferPointer(bytes))
        }
    }

    /// UTF-8 that the server checks.
    public func write(utf8 value: Bytes?) { write(bytea: value) }

    public func write(bytea value: Bytes?) {
        guard let value else { return writeNull() }
        unsafe value.withUnsafeBytes { bytes in
            buffer.put(Int32(bytes.count))
            unsafe buffer.put(bytes)
        }
    }
}
