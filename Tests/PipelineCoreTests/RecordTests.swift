import PipelineCore
import Testing

@Suite("A record")
struct RecordTests {
    @Test("finds the first header of a name, byte by byte")
    func headers() {
        var record = Record(
            payload: [1], timestamp: Timestamp(microseconds: 0),
            origin: Origin(source: "t", partition: 2, offset: 7))
        record.headers = [Header("a", "1"), Header("A", "2"), Header("a", "3")]
        #expect(record.header("a").map(Array.init) == Array("1".utf8))
        #expect(record.header("A").map(Array.init) == Array("2".utf8))
        #expect(record.header("b") == nil)
        #expect(record.body == [1])
        #expect(record.origin.description == "t[2]@7")
    }
}

@Suite("A digest")
struct DigestTests {
    @Test("is SipHash-2-4-128 as the reference has it, of every length up to 63 bytes")
    func vectors() {
        #expect(SipHashVectors.all.count == 64)
        for (count, expected) in SipHashVectors.all.enumerated() {
            let bytes = (0..<count).map { UInt8($0) }
            #expect(written(Digest(of: bytes[...])) == expected, "\(count) bytes")
        }
    }

    @Test("does not depend on where the bytes lie")
    func alignment() {
        let bytes = (0..<40).map { UInt8($0) }
        for shift in 1..<8 {
            let moved = [UInt8](repeating: 0xFF, count: shift) + bytes
            #expect(Digest(of: moved[shift...]) == Digest(of: bytes[...]))
        }
    }

    @Test("tells contents apart")
    func difference() {
        let digests = Set((0..<1000).map { Digest(of: Array("content \($0)".utf8)[...]) })
        #expect(digests.count == 1000)
        #expect(Digest(of: [1]) != Digest(of: [1, 0]))
    }

    /// The two words in the order of the reference's sixteen bytes.
    private func written(_ digest: Digest) -> String {
        let low = UUID(high: digest.low.byteSwapped, low: digest.high.byteSwapped)
        return low.description.filter { $0 != "-" }
    }
}
