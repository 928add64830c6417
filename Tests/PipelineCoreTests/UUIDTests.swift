import PipelineCore
import Testing

@Suite("A UUID")
struct UUIDTests {
    private let written = "6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11"

    @Test("reads and writes the 36-character form")
    func text() throws {
        let id = try #require(UUID(written))
        #expect(id.high == 0x6F2C_1F0E_8A0F_4A52)
        #expect(id.low == 0x9C7E_1F1D_5F0F_6C11)
        #expect(id.description == written)
        #expect(UUID(written.uppercased()) == id)
    }

    @Test(
        "is nothing else",
        arguments: [
            "", "6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c1", "6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c111",
            "6f2c1f0e8-a0f-4a52-9c7e-1f1d5f0f6c11", "6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c1g",
            "{f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c1}", "6f2c1f0e 8a0f 4a52 9c7e 1f1d5f0f6c11",
            "６f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6",
        ])
    func malformed(_ text: String) {
        #expect(UUID(text) == nil)
    }

    @Test("is sixteen bytes in network order")
    func bytes() throws {
        let id = try #require(UUID(written))
        #expect(id.bytes.prefix(4) == [0x6F, 0x2C, 0x1F, 0x0E])
        #expect(UUID(bytes: id.bytes) == id)
        #expect(UUID(bytes: id.bytes.dropLast()) == nil)
        #expect(UUID(bytes: id.bytes + [0]) == nil)
    }

    @Test("is ordered like its bytes and its text")
    func order() {
        let random = RandomSource(seed: 1)
        let ids = (0..<500).map { _ in random.uuid() }.sorted()
        #expect(ids.map(\.description) == ids.map(\.description).sorted())
        for (a, b) in zip(ids, ids.dropFirst()) {
            #expect(a.bytes.lexicographicallyPrecedes(b.bytes))
        }
    }

    @Test("that is random says so in its version and variant")
    func random() {
        let random = RandomSource(seed: 2)
        for _ in 0..<1000 {
            let bytes = random.uuid().bytes
            #expect(bytes[6] >> 4 == 4)
            #expect(bytes[8] >> 6 == 0b10)
        }
    }
}
