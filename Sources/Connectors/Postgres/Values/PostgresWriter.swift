internal import CPostgres
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

/// A type that parameters, results and COPY rows can have in the binary format.
public enum PostgresType: UInt32, Sendable, CaseIterable {
    // The numbers are the catalogue's own (pg_type.dat), fixed for ever.
    case bool = 16
    case bytea = 17
    /// `"char"`: one byte.
    case char = 18
    case int8 = 20
    case int2 = 21
    case int4 = 23
    case text = 25
    case float8 = 701
    case timestamptz = 1184
    case uuid = 2950

    var oid: Oid { rawValue }

    /// The type of arrays of this type.
    var arrayOid: Oid {
        switch self {
        case .bool: 1000
        case .bytea: 1001
        case .char: 1002
        case .int8: 1016
        case .int2: 1005
        case .int4: 1007
        case .text: 1009
        case .float8: 1022
        case .timestamptz: 1185
        case .uuid: 2951
        }
    }
}

/// Growable memory that is written once and used again: a connection encodes every statement's
/// parameters into the same one.
@safe final class ByteBuffer {
    /// Never null, so that an empty value still has an address.
    private(set) var base: UnsafeMutableRawPointer
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int = 4096) {
        self.capacity = capacity
        unsafe base = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { unsafe base.deallocate() }

    /// Forgets the content. Gives memory back after something unusually large.
    func removeAll() {
        count = 0
        guard capacity > 8 << 20 else { return }
        unsafe base.deallocate()
        capacity = 4096
        unsafe base = .allocate(byteCount: capacity, alignment: 16)
    }

    private func reserve(_ additional: Int) {
        let wanted = count + additional
        if wanted <= capacity { return }
        capacity = max(wanted, capacity * 2)
        let grown = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        unsafe grown.copyMemory(from: base, byteCount: count)
        unsafe base.deallocate()
        unsafe base = grown
    }

    /// In network order.
    func put(_ value: some FixedWidthInteger & BitwiseCopyable) {
        let size = value.bitWidth / 8
        reserve(size)
        unsafe base.storeBytes(of: value.bigEndian, toByteOffset: count, as: type(of: value))
        count += size
    }

    fileprivate func put(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, unsafe !bytes.isEmpty else { return }
        reserve(bytes.count)
        unsafe (base + count).copyMemory(from: start, byteCount: bytes.count)
        count += bytes.count
    }

    /// The 32-bit integer that was written at `offset`.
    func int32(at offset: Int) -> Int32 {
        unsafe Int32(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: Int32.self))
    }
}

/// Binary `timestamptz`: microseconds since 2000-01-01T00:00:00Z
/// ([documentation](https://www.postgresql.org/docs/current/datatype-datetime.html)).
extension Timestamp {
    private static let epoch: Int64 = 946_684_800_000_000
    /// 4714-11-24 BC and 294277 AD: what lies outside is an infinity.
    private static let range: Range<Int64> = -211_813_488_000_000_000..<9_223_371_331_200_000_000

    init(postgres: Int64) {
        guard Self.range.contains(postgres) else {
            self.init(microseconds: postgres < 0 ? .min : .max)
            return
        }
        let (sum, overflow) = postgres.addingReportingOverflow(Self.epoch)
        self.init(microseconds: overflow ? .max : sum)
    }

    fileprivate var postgres: Int64 {
        let (difference, overflow) = microseconds.subtractingReportingOverflow(Self.epoch)
        if overflow { return .min }
        if microseconds != .max, Self.range.contains(difference) { return difference }
        return difference < 0 ? .min : .max
    }
}
