import ConfigurationDiagnostics
import ConfigurationFields
import Testing

@Suite("A value")
struct ValueTests {
    @Test(
        "of time is read with its unit and written in the largest that divides it",
        arguments: [
            ("500ms", Duration.milliseconds(500), "500ms"), ("10s", .seconds(10), "10s"),
            ("5m", .seconds(300), "5m"), ("5min", .seconds(300), "5m"),
            ("90s", .seconds(90), "1m30s"),
            ("12h", .seconds(43_200), "12h"), ("24h", .seconds(86_400), "24h"),
            ("1d", .seconds(86_400), "24h"), ("48h", .seconds(172_800), "2d"),
            ("1.5h", .seconds(5400), "1h30m"), ("1h30m", .seconds(5400), "1h30m"),
            ("2d1h0.5s", .milliseconds(176_400_500), "2d1h500ms"),
            ("36h", .seconds(129_600), "36h"), ("0.5s", .milliseconds(500), "500ms"),
            ("0.25ms", .microseconds(250), "0.25ms"), ("0s", .zero, "0s"),
            ("10 s", .seconds(10), "10s"), ("10m ", .seconds(600), "10m"),
            (" 10  min", .seconds(600), "10m"), ("1h 30m", .seconds(5400), "1h30m"),
            ("0.1d", .seconds(8640), "2h24m"),
        ])
    func durations(text: String, duration: Duration, written: String) throws {
        #expect(try Duration(parsing: text) == duration)
        #expect(duration.text == written)
        #expect(try Duration(parsing: duration.text) == duration)
    }

    @Test(
        "of time without a sensible number or unit is refused",
        arguments: [
            "", "s", "10", "ten s", "-5s", "5x", "5 hours", "1.s", ".5s", "1e3s", "5sm", "30m1h",
            "1h1h", "1h30", "5s 5s", "10m\n", "1 h 3 0 m", " ",
            "99999999999d", "99999999999999999999s", "1.0000000001s", "٣s",
        ])
    func noDurations(text: String) {
        #expect(throws: Refusal.self) { try Duration(parsing: text) }
    }

    @Test("of time takes a unit that stands beside it, unless it names its own")
    func units() throws {
        #expect(try Duration.parse("12", unit: "h") == .seconds(43_200))
        #expect(try Duration.parse("0.5", unit: "h") == .seconds(1800))
        #expect(try Duration.parse("30m", unit: "h") == .seconds(1800))
        #expect(throws: Refusal.self) { try Duration.parse("12", unit: "weeks") }
    }

    @Test(
        "of bytes is read and written with its unit",
        arguments: [
            ("512B", 512, "512B"), ("64MiB", 64 << 20, "64MiB"), ("1.5GiB", 3 << 29, "1536MiB"),
            ("10kB", 10_000, "10000B"), ("2GB", 2_000_000_000, "1953125KiB"), ("0B", 0, "0B"),
            ("1024KiB", 1 << 20, "1MiB"), (" 64 MiB ", 64 << 20, "64MiB"),
        ])
    func sizes(text: String, bytes: Int, written: String) throws {
        #expect(try ByteCount(parsing: text).bytes == bytes)
        #expect(ByteCount(bytes: bytes).text == written)
        for wrong in ["64", "64mb", "MiB", "-1B", "9999999999TiB"] {
            #expect(throws: Refusal.self) { try ByteCount(parsing: wrong) }
        }
    }

    @Test("that is a number is read strictly")
    func numbers() throws {
        #expect(try Int.parse("-12", unit: nil) == -12)
        for wrong in ["", "1.0", "+1", "0x1", "1e3", " 1", "one", "-"] {
            #expect(throws: Refusal.self) { try Int.parse(wrong, unit: nil) }
        }
        #expect(throws: Refusal(.outOfRange, "is too large")) {
            try Int.parse("99999999999999999999", unit: nil)
        }
        #expect(try Double.parse("-1.5e3", unit: nil) == -1500)
        for wrong in ["nan", "inf", "0x10", "", "1e999"] {
            #expect(throws: Refusal.self) { try Double.parse(wrong, unit: nil) }
        }
    }

    @Test("that is one of a few words names the nearest")
    func choices() {
        #expect(
            throws: Refusal(
                .invalidValue, "is not one of earliest, latest", hint: "did you mean \"latest\"?")
        ) {
            try Start(parsing: "lastest")
        }
        #expect(throws: Refusal(.invalidValue, "is not one of earliest, latest")) {
            try Start(parsing: "zebra")
        }
    }

    @Test(
        "that is misspelt has a nearest neighbour when it is near",
        arguments: [
            ("cuont", "count"), ("max_agee", "max_age"), ("Count", "count"), ("ount", "count"),
            ("countt", "count"), ("zebra", nil), ("", nil), ("c", nil),
        ] as [(String, String?)])
    func nearest(written: String, meant: String?) {
        #expect(
            Suggestion.nearest(to: written, among: ["count", "max_age", "deadline_margin"]) == meant
        )
    }
}

enum Start: String, Choice { case earliest, latest }
