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

    func put(_ bytes: UnsafeRawBufferPointer) {
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
