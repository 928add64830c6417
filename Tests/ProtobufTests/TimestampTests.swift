import Protobuf
import Testing

@Suite("Timestamps and durations")
struct TimestampTests {
    @Test(
        "Times are written with Z and as many digits as they need",
        arguments: [
            (0, 0, "1970-01-01T00:00:00Z"),
            (-1, 999_999_999, "1969-12-31T23:59:59.999999999Z"),
            (951_782_400, 120_000_000, "2000-02-29T00:00:00.120Z"),
            (1_700_000_000, 1000, "2023-11-14T22:13:20.000001Z"),
            (-62_135_596_800, 0, "0001-01-01T00:00:00Z"),
            (253_402_300_799, 999_999_999, "9999-12-31T23:59:59.999999999Z"),
            (-2_203_891_200, 0, "1900-03-01T00:00:00Z"),
        ] as [(Int64, Int32, String)])
    func times(seconds: Int64, nanoseconds: Int32, text: String) throws {
        let time = Google_Protobuf_Timestamp(secondsSince1970: seconds, nanoseconds: nanoseconds)
        #expect(time.rfc3339 == text)
        #expect(Google_Protobuf_Timestamp(rfc3339: text) == time)
        #expect(try time.jsonString() == "\"\(text)\"")
    }

    @Test(
        "Offsets are taken into account",
        arguments: [
            "2023-11-14T23:13:20+01:00", "2023-11-14T21:43:20-00:30", "2023-11-15T22:12:20+23:59",
            "2023-11-14T22:13:20.0Z",
        ])
    func offsets(text: String) {
        #expect(Google_Protobuf_Timestamp(rfc3339: text)?.seconds == 1_700_000_000)
    }

    @Test(
        "What is no time is refused",
        arguments: [
            "", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14 22:13:20Z", "2023-11-14t22:13:20Z",
            "2023-11-14T22:13:20z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z", "2023-00-01T00:00:00Z", "2023-01-00T00:00:00Z",
            "2023-04-31T00:00:00Z", "2023-11-14T24:00:00Z", "2023-11-14T22:60:00Z",
            "2023-11-14T22:13:60Z", "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20.1234567890Z",
            "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01", "2023-11-14T22:13:20+24:00", "2023-11-14T22:13:20+1:00",
            "2023-11-14T22:13:20Zx", " 2023-11-14T22:13:20Z", "２023-11-14T22:13:20Z",
        ])
    func badTimes(text: String) {
        #expect(Google_Protobuf_Timestamp(rfc3339: text) == nil)
    }

    @Test(
        "A time out of range cannot be written as JSON",
        arguments: [
            (253_402_300_800, 0), (-62_135_596_801, 0), (0, -1), (0, 1_000_000_000), (.max, 0),
        ] as [(Int64, Int32)])
    func timesOutOfRange(seconds: Int64, nanoseconds: Int32) {
        let time = Google_Protobuf_Timestamp(secondsSince1970: seconds, nanoseconds: nanoseconds)
        #expect(!time.isValid)
        #expect(throws: ProtobufError.self) { try time.jsonString() }
    }

    @Test("Every day of four hundred years is the day after the one before")
    func calendar() {
        var previous = ""
        for day in -146_097 / 2...146_097 / 2 {
            let time = Google_Protobuf_Timestamp(secondsSince1970: Int64(day) * 86_400)
            let text = time.rfc3339 ?? ""
            #expect(text > previous)
            #expect(Google_Protobuf_Timestamp(rfc3339: text) == time)
            previous = text
        }
    }

    @Test(
        "Durations are decimal seconds",
        arguments: [
            (0, 0, "0s"), (1, 500_000_000, "1.500s"), (-1, -1, "-1.000000001s"),
            (0, -1000, "-0.000001s"),
            (315_576_000_000, 0, "315576000000s"),
        ] as [(Int64, Int32, String)])
    func durations(seconds: Int64, nanoseconds: Int32, text: String) throws {
        let duration = Google_Protobuf_Duration.with {
            $0.seconds = seconds
            $0.nanos = nanoseconds
        }
        #expect(try duration.jsonString() == "\"\(text)\"")
        #expect(try Google_Protobuf_Duration(jsonString: "\"\(text)\"") == duration)
        #expect(Google_Protobuf_Duration(duration.duration) == duration)
    }

    @Test(
        "What is no duration is refused",
        arguments: [
            "", "s", "1", "1 s", "1m", "+1s", "--1s", "1.s", ".5s", "1.1234567890s",
            "315576000001s",
            "-315576000001s", "1e3s", "1ss",
        ])
    func badDurations(text: String) {
        #expect(Google_Protobuf_Duration(text: text) == nil)
    }
}
