import Calendar
import PipelineCore
import Testing

@testable import DryRunRendering
import DryRunReport

@Suite("A report's words")
struct WordingTests {
    @Test(
        "say a duration as people do",
        arguments: [
            (.zero, "0 s"), (.nanoseconds(5), "1 µs"), (.microseconds(340), "340 µs"),
            (.milliseconds(340), "340 ms"), (.microseconds(999_600), "1 s"),
            (.milliseconds(3140), "3.1 s"), (.milliseconds(9960), "10 s"),
            (.milliseconds(59_600), "1 min"), (.seconds(63), "1 min 3 s"),
            (.milliseconds(3_599_700), "1 h"), (.seconds(43_080), "11 h 58 min"),
            (.seconds(86_400), "24 h"), (.seconds(172_800), "48 h"),
            (.seconds(4 * 86_400 + 7200), "4 d 2 h"), (.seconds(-90), "−1 min 30 s"),
        ] as [(Duration, String)])
    func durations(_ duration: Duration, _ text: String) { #expect(duration.spoken == text) }

    @Test("never round a share up to all")
    func shares() {
        #expect(0.9999.percent == "99 %")
        #expect(1.0.percent == "100 %")
        #expect(0.004.percent == "0.4 %")
        #expect(0.0.percent == "0 %")
    }

    @Test("group digits, and keep two of a ratio's")
    func numbers() {
        #expect(1_234_567.grouped == "1,234,567")
        #expect((-1234).grouped == "−1,234")
        #expect(999.grouped == "999")
        #expect(27_870.5.twoDigits == "28,000")
        #expect(3.14.times == "3.1 ×")
        #expect(28.4.times == "28 ×")
    }

    @Test("keep a number and its unit on one line")
    func units() {
        let lines = Paragraph.lines("answered within 24 h; 37 batches", width: 18)
        #expect(lines == ["answered within", "24 h; 37 batches"])
        #expect(Paragraph.glued("within 24 h; ok") == "within 24\u{A0}h; ok")
    }

    @Test("break a civil time into its parts")
    func clock() {
        let clock = CivilTime(Timestamp(microseconds: 1_795_478_400_000_000 - 250_000))
        #expect(clock.rfc3339 == "2026-11-23T23:59:59.75Z")
        #expect(clock.day == "23 Nov")
        #expect(clock.milliseconds == "23:59:59.750")
    }
}
