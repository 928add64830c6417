import Protobuf
import ReportMessages
import Testing

@Suite("Hostile bytes")
struct HostileBinaryTests {
    private static func error<M: Message>(_: M.Type, _ bytes: [UInt8]) -> ProtobufError? {
        do {
            _ = try M(serializedBytes: bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test("A message cut short within a field is refused; one cut between fields is a message")
    func truncation() {
        let bytes = BinaryFormatTests.requestBytes
        let boundaries: Set<Int> = [0, 4, 7, 9, bytes.count]
        for count in 0...bytes.count {
            let error = Self.error(ReportRequest.self, Array(bytes[..<count]))
            #expect((error == nil) == boundaries.contains(count), "cut to \(count) bytes")
            if let error { #expect(error.code == .truncated) }
        }
    }

    @Test(
        "A length beyond the end is refused without being allocated",
        arguments: [
            [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x07],
            [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
            [0x22, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
            [0x22, 3, 0x0A, 2, 0x08],
        ] as [[UInt8]])
    func hugeLengths(bytes: [UInt8]) {
        #expect(Self.error(ReportRequest.self, bytes)?.code == .truncated)
    }

    @Test(
        "A number of more than 64 bits is refused",
        arguments: [
            [UInt8](repeating: 0x80, count: 10) + [1],
            [UInt8](repeating: 0xFF, count: 9) + [2],
            [UInt8](repeating: 0xFF, count: 11),
        ])
    func overlongVarints(varint: [UInt8]) {
        let error = Self.error(Report.self, [0x38] + varint)
        #expect(error?.code == .malformedBinary)
        #expect(error?.path == "views_count")
    }

    @Test("A number that takes more bytes than it needs is read")
    func paddedVarints() throws {
        #expect(try Report(serializedBytes: [0x38, 0x81, 0x80, 0x00]).viewsCount == 1)
    }

    @Test(
        "Tags with field number 0, an unknown wire type, or more than 32 bits are refused",
        arguments: [
            [0x00, 0], [0x02, 0], [0x0E, 0], [0x0F, 0], [0x0C],
            [0x88, 0x80, 0x80, 0x80, 0x10, 0], [0x88, 0x80, 0x80, 0x80, 0x80, 0x00, 0],
        ] as [[UInt8]])
    func badTags(bytes: [UInt8]) {
        #expect(Self.error(Report.self, bytes)?.code == .malformedBinary)
    }

    @Test(
        "Groups must end, and with their own number",
        arguments: [
            [0xFB, 0x07], [0xFB, 0x07, 0x14], [0xFB, 0x07, 0x13, 0xFC, 0x07],
        ] as [[UInt8]])
    func badGroups(bytes: [UInt8]) {
        #expect(Self.error(Report.self, bytes) != nil)
    }

    @Test(
        "Text that is no UTF-8 is refused",
        arguments: [
            [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82],
        ] as [[UInt8]])
    func invalidUTF8(text: [UInt8]) {
        let error = Self.error(Report.self, [0x0A, UInt8(text.count)] + text)
        #expect(error?.code == .invalidUTF8)
        #expect(error?.path == "case_id")
    }

    /// `levels` messages within each other: a Value holds a ListValue, which holds a Value.
    private static func nested(_ levels: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for level in 0..<levels {
            let tag: UInt8 = level % 2 == 0 ? 0x32 : 0x0A
            bytes = [tag] + Self.varint(bytes.count) + bytes
        }
        return bytes
    }

    private static func varint(_ value: Int) -> [UInt8] {
        value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + varint(value >> 7)
    }

    @Test("A hundred nested messages are read, more are refused, a million do not crash")
    func depth() {
        #expect(Self.error(Google_Protobuf_ListValue.self, Self.nested(100)) == nil)
        #expect(Self.error(Google_Protobuf_ListValue.self, Self.nested(102))?.code == .tooDeep)
        let groups = [UInt8](repeating: 0x0B, count: 1_000_000)
        #expect(Self.error(Report.self, groups)?.code == .tooDeep)
    }

    /// Were the message that is merged into copied each time, the second form would take time in
    /// the square of the entries: hundreds of times as long.
    @Test("A oneof's message in thirty thousand pieces takes about as long as in one piece")
    func repeatedOneof() throws {
        var entries: [UInt8] = []
        var pieces: [UInt8] = []
        let count = 30_000
        for index in 0..<count {
            let key = [UInt8](String(index).utf8)
            let entry = [0x0A, UInt8(key.count + 2), 0x0A, UInt8(key.count)] + key
            entries += entry
            pieces += [0x2A, UInt8(entry.count)] + entry
        }
        let clock = ContinuousClock()
        var whole = Google_Protobuf_Struct()
        let once = try clock.measure {
            whole = try Google_Protobuf_Struct(serializedBytes: entries)
        }
        var merged = Google_Protobuf_Value()
        let repeatedly = try clock.measure {
            merged = try Google_Protobuf_Value(serializedBytes: pieces)
        }
        #expect(merged.kind == .structValue(whole))
        #expect(repeatedly < once * 15)
    }

    @Test("Of a oneof the last member counts")
    func lastMember() throws {
        let bytes: [UInt8] = [0x12, 3, 0x0A, 1, 0x61, 0x1A, 2, 0x08, 1]
        let read = try GetReportResponse(serializedBytes: bytes)
        #expect(read.result == .status(.with { $0.state = .pending }))
    }

    @Test("An error names the field, down to the element, and the byte")
    func places() {
        let bytes: [UInt8] = [
            0x12, 2, 0x0A, 0, 0x12, 8, 0x22, 6, 0x0A, 4, 0x08, 0xFF, 0xFF, 0xFF,
        ]
        let error = Self.error(GenerateReportsRequest.self, bytes)
        #expect(error?.path == "definitions[1].period.start_time.seconds")
        #expect(error?.offset == 14)
        #expect(
            error?.description
                == "definitions[1].period.start_time.seconds: "
                + "the input ends within a value (at byte 14)")
    }
}
