internal import CPostgres
public import PipelineCore

/// The parameters of one statement, added in order, in the binary format.
///
/// The labels are the server's type names; the statement is prepared with exactly these types.
/// `nil` is NULL.
public final class PostgresParameters {
    struct Slot {
        var offset: Int
        /// -1 for NULL.
        var length: Int32
    }
    let buffer = ByteBuffer()
    private(set) var slots: [Slot] = []
    private(set) var types: [Oid] = []

    func removeAll() {
        buffer.removeAll()
        slots.removeAll(keepingCapacity: true)
        types.removeAll(keepingCapacity: true)
    }

    public func add(bool value: Bool?) { add(.bool) { $0.write(bool: value) } }
    public func add(char value: UInt8?) { add(.char) { $0.write(char: value) } }
    public func add(int2 value: Int16?) { add(.int2) { $0.write(int2: value) } }
    public func add(int4 value: Int32?) { add(.int4) { $0.write(int4: value) } }
    public func add(int8 value: Int64?) { add(.int8) { $0.write(int8: value) } }
    public func add(float8 value: Double?) { add(.float8) { $0.write(float8: value) } }
    public func add(text value: String?) { add(.text) { $0.write(text: value) } }
    public func add(bytea value: Bytes?) { add(.bytea) { $0.write(bytea: value) } }
    public func add(uuid value: UUID?) { add(.uuid) { $0.write(uuid: value) } }
    public func add(timestamptz value: Timestamp?) {
        add(.timestamptz) { $0.write(timestamptz: value) }
    }

    public func add(int4s values: some Collection<Int32>) {
        add(arrayOf: .int4, values) { $0.write(int4: $1) }
    }
    public func add(int8s values: some Collection<Int64>) {
        add(arrayOf: .int8, values) { $0.write(int8: $1) }
    }
    public func add(texts values: some Collection<String>) {
        add(arrayOf: .text, values) { $0.write(text: $1) }
    }
    public func add(uuids values: some Collection<UUID>) {
        add(arrayOf: .uuid, values) { $0.write(uuid: $1) }
    }
    public func add(int8sOrNull values: [Int64]?) {
        if let values { return add(int8s: values) }
        addNull(arrayOf: .int8)
    }
    public func add(uuidsOrNull values: [UUID]?) {
        if let values { return add(uuids: values) }
        addNull(arrayOf: .uuid)
    }
    public func addNull(arrayOf type: PostgresType) {
        slots.append(Slot(offset: buffer.count, length: -1))
        types.append(type.arrayOid)
    }
    public func add(byteas values: some Collection<Bytes>) {
        add(arrayOf: .bytea, values) { $0.write(bytea: $1) }
    }
    public func add(timestamptzs values: some Collection<Timestamp?>) {
        add(arrayOf: .timestamptz, values) { $0.write(timestamptz: $1) }
    }

    /// Adds a one-dimensional array.
    /// - Parameter write: writes one element, as a value of `type` or as NULL; called once for
    ///   each.
    public func add<C: Collection>(
        arrayOf type: PostgresType, _ elements: C, write: (PostgresWriter, C.Element) -> Void
    ) {
        let start = buffer.count
        let count = elements.count
        buffer.put(Int32(count == 0 ? 0 : 1))  // dimensions
        buffer.put(Int32(1))  // there may be NULLs
        buffer.put(type.oid)
        if count > 0 {
            buffer.put(Int32(count))
            buffer.put(Int32(1))  // first index
            let writer = PostgresWriter(buffer: buffer)
            for element in elements { write(writer, element) }
        }
        slots.append(Slot(offset: start, length: Int32(buffer.count - start)))
        types.append(type.arrayOid)
    }

    private func add(_ type: PostgresType, _ write: (PostgresWriter) -> Void) {
        let start = buffer.count
        write(PostgresWriter(buffer: buffer))
        slots.append(Slot(offset: start + 4, length: buffer.int32(at: start)))
        types.append(type.oid)
    }

    /// Lends the parameters in the form that libpq wants: values, lengths, formats.
    func withPointers<T>(
        _ body: (
            UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<Int32>, UnsafePointer<Int32>
        ) throws -> T
    ) rethrows -> T {
        // One more than there are: an empty array would have no address.
        var values: [UnsafePointer<CChar>?] = unsafe []
        unsafe values.reserveCapacity(slots.count + 1)
        for slot in slots {
            unsafe values.append(
                slot.length < 0
                    ? nil
                    : UnsafePointer((buffer.base + slot.offset).assumingMemoryBound(to: CChar.self))
            )
        }
        unsafe values.append(nil)
        let lengths = slots.map { max($0.length, 0) } + [0]
        let formats = [Int32](repeating: 1, count: slots.count + 1)
        return try unsafe body(values, lengths, formats)
    }
}
