import Protobuf
import ReportMessages
import Testing

/// The golden bytes were made by Google's Python implementation.
@Suite("The binary format")
struct BinaryFormatTests {
    static let request = ReportRequest.with {
        $0.caseID = "c1"
        $0.productID = "p"
        $0.checkoutID = ""
        $0.period = .with {
            $0.startTime = Google_Protobuf_Timestamp(secondsSince1970: 1_700_000_000)
            $0.endTime = Google_Protobuf_Timestamp(
                secondsSince1970: 1_700_003_600, nanoseconds: 500_000_000)
        }
    }
    static let requestBytes: [UInt8] = [
        0x0A, 2, 0x63, 0x31, 0x12, 1, 0x70, 0x1A, 0,
        0x22, 22, 0x0A, 6, 0x08, 0x80, 0xE2, 0xCF, 0xAA, 0x06,
        0x12, 12, 0x08, 0x90, 0xFE, 0xCF, 0xAA, 0x06, 0x10, 0x80, 0xCA, 0xB5, 0xEE, 0x01,
    ]

    @Test("A message is written as Google's implementation writes it")
    func goldenBytes() throws {
        #expect(try Self.request.serializedBytes() == Self.requestBytes)
    }

    @Test("Google's bytes are read as the message they were made from")
    func goldenMessage() throws {
        #expect(try ReportRequest(serializedBytes: Self.requestBytes) == Self.request)
    }

    @Test("An optional field that is set to its default is written; an unset one is not")
    func presence() throws {
        let unset = ReportRequest()
        #expect(try unset.serializedBytes() == [])
        let set = ReportRequest.with { $0.checkoutID = "" }
        #expect(try set.serializedBytes() == [0x1A, 0])
        #expect(try ReportRequest(serializedBytes: [0x1A, 0]).checkoutID == "")
        #expect(try ReportRequest(serializedBytes: []).checkoutID == nil)
    }

    @Test("A slice is read in place, whatever its indices")
    func slices() throws {
        let padded = [1, 2, 3] + Self.requestBytes + [4]
        let slice = padded[3..<3 + Self.requestBytes.count]
        #expect(try ReportRequest(serializedBytes: slice) == Self.request)
    }

    @Test("A span of another's memory is read in place")
    func spans() throws {
        let span = Self.requestBytes.span
        #expect(try ReportRequest(serializedBytes: span) == Self.request)
    }

    @Test("Messages can be appended to one buffer")
    func appending() throws {
        var buffer: [UInt8] = [9]
        try Self.request.serialize(appendingTo: &buffer)
        try Self.request.serialize(appendingTo: &buffer)
        #expect(buffer == [9] + Self.requestBytes + Self.requestBytes)
    }

    @Test(
        "Nested messages of any length get a length of the right size",
        arguments: [
            0, 1, 100, 121, 122, 123, 124, 125, 126, 127, 128, 129, 200, 16_378, 16_379, 16_380,
            16_381, 16_383, 16_384, 16_385, 2_097_145, 2_097_148, 2_097_152,
        ])
    func nestedLengths(size: Int) throws {
        let message = CreateReportRequest.with {
            $0.request = .with { $0.productID = String(repeating: "x", count: size) }
        }
        let bytes = try message.serializedBytes()
        #expect(try CreateReportRequest(serializedBytes: bytes) == message)
        var expected: [UInt8] = []
        if size > 0 {
            expected = [0x12] + Self.varint(size) + [UInt8](repeating: 0x78, count: size)
        }
        #expect(bytes == [0x0A] + Self.varint(expected.count) + expected)
    }

    private static func varint(_ value: Int) -> [UInt8] {
        value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + varint(value >> 7)
    }

    @Test(
        "Integers keep their value at the ends of their range",
        arguments: [
            0, 1, -1, .max, .min, 127, 128, 1 << 32,
        ] as [Int64])
    func integers(value: Int64) throws {
        let report = Report.with {
            $0.viewsCount = value
            $0.paymentsCount = value
        }
        #expect(try Report(serializedBytes: report.serializedBytes()) == report)
    }

    @Test(
        "A ratio of zero and one of negative zero are both kept",
        arguments: [
            0.0, -0.0, 0.1, .infinity, .leastNonzeroMagnitude,
        ])
    func doubles(value: Double) throws {
        let report = Report.with { $0.conversionRatio = value }
        let read = try Report(serializedBytes: report.serializedBytes())
        #expect(read.conversionRatio?.bitPattern == value.bitPattern)
    }

    @Test("Maps are written in the order of their keys, so that equal messages give equal bytes")
    func maps() throws {
        let info = Google_Rpc_ErrorInfo.with { $0.metadata = ["b": "2", "a": "1", "": "0"] }
        let bytes: [UInt8] = [
            0x1A, 5, 0x0A, 0, 0x12, 1, 0x30,
            0x1A, 6, 0x0A, 1, 0x61, 0x12, 1, 0x31, 0x1A, 6, 0x0A, 1, 0x62, 0x12, 1, 0x32,
        ]
        #expect(try info.serializedBytes() == bytes)
        #expect(try Google_Rpc_ErrorInfo(serializedBytes: bytes) == info)
    }

    @Test("Unknown fields of every wire type are skipped")
    func unknownFields() throws {
        let unknown: [UInt8] = [
            0xF8, 0x07, 0x96, 0x01,  // 127: varint
            0xF9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8,  // fixed64
            0xFA, 0x07, 2, 1, 2,  // bytes
            0xFB, 0x07, 0x08, 1, 0x13, 0x14, 0xFC, 0x07,  // group with a group
            0xFD, 0x07, 1, 2, 3, 4,  // fixed32
        ]
        let read = try ReportRequest(serializedBytes: unknown + Self.requestBytes + unknown)
        #expect(read == Self.request)
    }

    @Test("A known number with another wire type is an unknown field")
    func otherWireType() throws {
        #expect(try ReportRequest(serializedBytes: [0x08, 1] + Self.requestBytes) == Self.request)
    }

    @Test("Of a field that occurs twice the last counts, and messages are merged")
    func merging() throws {
        let bytes: [UInt8] = [
            0x0A, 1, 0x61, 0x22, 4, 0x0A, 2, 0x08, 1,
            0x0A, 1, 0x62, 0x22, 4, 0x12, 2, 0x08, 2,
        ]
        let read = try ReportRequest(serializedBytes: bytes)
        #expect(read.caseID == "b")
        #expect(read.period?.startTime?.seconds == 1)
        #expect(read.period?.endTime?.seconds == 2)
    }

    @Test("An enum's number without a name is kept")
    func openEnums() throws {
        let read = try ReportStatus(serializedBytes: [0x08, 77])
        #expect(read.state == .unrecognized(77))
        #expect(try read.serializedBytes() == [0x08, 77])
    }
}
