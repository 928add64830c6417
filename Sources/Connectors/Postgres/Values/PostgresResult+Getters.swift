public import PipelineCore

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
