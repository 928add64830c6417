internal import CPostgres
public import PipelineCore
internal import Synchronization

/// What a statement answered. Rows and columns count from 0.
///
/// The getters read in place. Reading a column as another type than the statement gives it is a
/// programmer's error and traps, as is reading NULL through a getter that is not `…OrNil`.
@safe public final class PostgresResult: @unchecked Sendable {
    // libpq only reads a result that is complete
    // (https://www.postgresql.org/docs/current/libpq-threading.html); the rest is immutable or
    // locked.
    let handle: OpaquePointer
    public let rowCount: Int
    public let columnCount: Int
    private let types: [Oid]
    /// Bytes of the columns that have been asked for, one array a column.
    private let columns = Mutex<[Int: [Bytes?]]>([:])

    /// Takes the result over.
    init(owning handle: OpaquePointer) {
        unsafe self.handle = handle
        rowCount = unsafe Int(PQntuples(handle))
        columnCount = unsafe Int(PQnfields(handle))
        types = unsafe (0..<PQnfields(handle)).map { unsafe PQftype(handle, $0) }
    }

    deinit { unsafe PQclear(handle) }

    /// Rows that an INSERT, UPDATE, DELETE or COPY has touched; for a SELECT the rows it answered.
    public var affectedRows: Int {
        unsafe Int(String(cString: PQcmdTuples(handle))) ?? 0
    }

    /// The server's name of the command: `COMMIT`, `INSERT`, …
    var command: String { unsafe String(cString: PQcmdStatus(handle)) }

    public func isNull(_ row: Int, _ column: Int) -> Bool {
        check(row, column)
        return unsafe PQgetisnull(handle, Int32(row), Int32(column)) == 1
    }

    /// The bytes of a `bytea`. Those of a whole column share one array, copied at the first call.
    public func bytes(_ row: Int, _ column: Int) -> Bytes {
        guard let bytes = bytesOrNil(row, column) else { trapOnNull(row, column) }
        return bytes
    }

    public func bytesOrNil(_ row: Int, _ column: Int) -> Bytes? {
        check(row, column)
        check(column, is: [.bytea])
        return columns.withLock { columns in
            if let cached = columns[column] { return cached[row] }
            let copied = copyColumn(column)
            columns[column] = copied
            return copied[row]
        }
    }

    private func copyColumn(_ column: Int) -> [Bytes?] {
        var all: [UInt8] = []
        let lengths = (0..<rowCount).map { row in
            unsafe Int(PQgetlength(handle, Int32(row), Int32(column)))
        }
        all.reserveCapacity(lengths.reduce(0, +))
        for row in 0..<rowCount {
            unsafe all.append(contentsOf: raw(row, column) ?? .init(start: nil, count: 0))
        }
        var start = 0
        return (0..<rowCount).map { row in
            defer { start += lengths[row] }
            return isNull(row, column) ? nil : all[start..<start + lengths[row]]
        }
    }

    /// The value in place; `nil` for NULL.
    private func raw(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer? {
        if isNull(row, column) { return nil }
        return unsafe UnsafeRawBufferPointer(
            start: PQgetvalue(handle, Int32(row), Int32(column)),
            count: Int(PQgetlength(handle, Int32(row), Int32(column))))
    }

    private var isBinary: Bool { unsafe PQbinaryTuples(handle) == 1 }

    private func check(_ row: Int, _ column: Int) {
        precondition(
            row >= 0 && row < rowCount && column >= 0 && column < columnCount,
            "row \(row), column \(column) of a result with \(rowCount) × \(columnCount)")
    }

    private func check(_ column: Int, is wanted: [PostgresType], array: Bool = false) {
        let type = types[column]
        precondition(
            wanted.contains { (array ? $0.arrayOid : $0.oid) == type },
            "column \(column) has the type \(type), which is not \(wanted)")
    }

    private func trapOnNull(_ row: Int, _ column: Int) -> Never {
        preconditionFailure("row \(row), column \(column) is NULL")
    }
}

extension PostgresResult {
    /// An `int2`, `int4` or `int8`; also from the text answers of a ``PostgresScript``.
    public func int64(_ row: Int, _ column: Int) -> Int64 {
        guard let value = int64OrNil(row, column) else { trapOnNull(row, column) }
        return value
    }

    public func int64OrNil(_ row: Int, _ column: Int) -> Int64? {
        check(column, is: [.int2, .int4, .int8])
        guard let bytes = unsafe raw(row, column) else { return nil }
        if !isBinary { return unsafe Int64(String(decoding: bytes, as: UTF8.self)) }
        switch bytes.count {
        case 2: return unsafe Int64(Int16(bigEndian: bytes.loadUnaligned(as: Int16.self)))
        case 4: return unsafe Int64(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)))
        default: return unsafe Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
        }
    }

    public func int(_ row: Int, _ column: Int) -> Int { Int(int64(row, column)) }

    public func double(_ row: Int, _ column: Int) -> Double {
        guard let value = doubleOrNil(row, column) else { trapOnNull(row, column) }
        return value
    }

    public func doubleOrNil(_ row: Int, _ column: Int) -> Double? {
        unsafe binary(row, column, .float8) { unsafe Double(bitPattern: $0.bigEndian(at: 0)) }
    }

    public func bool(_ row: Int, _ column: Int) -> Bool {
        let value = unsafe binary(row, column, .bool) { unsafe $0[0] != 0 }
        guard let value else { trapOnNull(row, column) }
        return value
    }

    /// The byte of a `"char"`.
    public func char(_ row: Int, _ column: Int) -> UInt8 {
        let value = unsafe binary(row, column, .char) { unsafe $0[0] }
        guard let value else { trapOnNull(row, column) }
        return value
    }

    public func text(_ row: Int, _ column: Int) -> String {
        guard let value = textOrNil(row, column) else { trapOnNull(row, column) }
        return value
    }

    public func textOrNil(_ row: Int, _ column: Int) -> String? {
        check(column, is: [.text])
        return unsafe raw(row, column).map { unsafe String(decoding: $0, as: UTF8.self) }
    }

    public func uuid(_ row: Int, _ column: Int) -> UUID {
        guard let value = uuidOrNil(row, column) else { trapOnNull(row, column) }
        return value
    }

    public func uuidOrNil(_ row: Int, _ column: Int) -> UUID? {
        unsafe binary(row, column, .uuid) {
            unsafe UUID(high: $0.bigEndian(at: 0), low: $0.bigEndian(at: 8))
        }
    }

    /// A `timestamptz`; its infinities are the ends of ``Timestamp``.
    public func timestamp(_ row: Int, _ column: Int) -> Timestamp {
        guard let value = timestampOrNil(row, column) else { trapOnNull(row, column) }
        return value
    }

    public func timestampOrNil(_ row: Int, _ column: Int) -> Timestamp? {
        unsafe binary(row, column, .timestamptz) {
            unsafe Timestamp(postgres: Int64(bitPattern: $0.bigEndian(at: 0)))
        }
    }

    /// An array of `int2`, `int4` or `int8` without NULLs.
    public func int64s(_ row: Int, _ column: Int) -> [Int64] {
        check(column, is: [.int2, .int4, .int8], array: true)
        precondition(isBinary, "an answer in text")
        guard let bytes = unsafe raw(row, column) else { trapOnNull(row, column) }
        return unsafe bytes.elements { element in
            switch element.count {
            case 2: unsafe Int64(Int16(bigEndian: element.loadUnaligned(as: Int16.self)))
            case 4: unsafe Int64(Int32(bigEndian: element.loadUnaligned(as: Int32.self)))
            default: unsafe Int64(bigEndian: element.loadUnaligned(as: Int64.self))
            }
        }
    }

    /// The bytes of each element of an array of `text` or `bytea`; `nil` for NULLs.
    public func elements(_ row: Int, _ column: Int) -> [Bytes?] {
        check(column, is: [.text, .bytea], array: true)
        precondition(isBinary, "an answer in text")
        guard let bytes = unsafe raw(row, column) else { trapOnNull(row, column) }
        return unsafe bytes.elements(null: nil) { unsafe Array($0)[...] }
    }

    private func binary<T>(
        _ row: Int, _ column: Int, _ type: PostgresType, _ read: (UnsafeRawBufferPointer) -> T
    ) -> T? {
        check(column, is: [type])
        precondition(isBinary, "an answer in text")
        return unsafe raw(row, column).map(read)
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func bigEndian(at offset: Int) -> UInt64 {
        unsafe UInt64(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The elements of a one-dimensional array in the binary format; NULLs are left out.
    fileprivate func elements<T>(_ read: (UnsafeRawBufferPointer) -> T) -> [T] {
        unsafe elements(null: nil as T?) { unsafe read($0) }.compactMap(\.self)
    }

    /// The elements of a one-dimensional array in the binary format, with a stand-in for NULLs.
    fileprivate func elements<T>(null: T, _ read: (UnsafeRawBufferPointer) -> T) -> [T] {
        func int32(_ offset: Int) -> Int {
            unsafe Int(Int32(bigEndian: loadUnaligned(fromByteOffset: offset, as: Int32.self)))
        }
        if int32(0) == 0 { return [] }
        precondition(int32(0) == 1, "an array of \(int32(0)) dimensions")
        var values: [T] = []
        values.reserveCapacity(int32(12))
        var offset = 20
        for _ in 0..<int32(12) {
            let length = int32(offset)
            offset += 4
            if length < 0 {
                values.append(null)
                continue
            }
            unsafe values.append(
                read(UnsafeRawBufferPointer(rebasing: self[offset..<offset + length])))
            offset += length
        }
        return values
    }
}

extension PostgresResult {
    /// Rows of `source, partition, next_offset, witness_offset, witness_digest`, all of the log
    /// that has the name now.
    ///
    /// - Parameter wanted: the partitions to tell about; `nil` for all.
    public func positions(
        of log: LogName, wanted: [Int32: Int64]? = nil
    ) -> StoredPositions {
        var stored = StoredPositions(source: rowCount == 0 ? log.key : text(0, 0))
        for row in 0..<rowCount {
            let partition = Int32(int64(row, 1))
            stored.partitions.insert(partition)
            if let wanted, wanted[partition] == nil { continue }
            stored.next[partition] = int64(row, 2)
            if isNull(row, 3) { continue }
            stored.witnesses[partition] = LogWitness(
                offset: int64(row, 3), digest: UInt64(bitPattern: int64(row, 4)))
        }
        return stored
    }
}
