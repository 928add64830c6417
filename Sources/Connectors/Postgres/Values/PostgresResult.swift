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
    func raw(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer? {
        if isNull(row, column) { return nil }
        return unsafe UnsafeRawBufferPointer(
            start: PQgetvalue(handle, Int32(row), Int32(column)),
            count: Int(PQgetlength(handle, Int32(row), Int32(column))))
    }

    var isBinary: Bool { unsafe PQbinaryTuples(handle) == 1 }

    private func check(_ row: Int, _ column: Int) {
        precondition(
            row >= 0 && row < rowCount && column >= 0 && column < columnCount,
            "row \(row), column \(column) of a result with \(rowCount) × \(columnCount)")
    }

    func check(_ column: Int, is wanted: [PostgresType], array: Bool = false) {
        let type = types[column]
        precondition(
            wanted.contains { (array ? $0.arrayOid : $0.oid) == type },
            "column \(column) has the type \(type), which is not \(wanted)")
    }

    func trapOnNull(_ row: Int, _ column: Int) -> Never {
        preconditionFailure("row \(row), column \(column) is NULL")
    }
}
