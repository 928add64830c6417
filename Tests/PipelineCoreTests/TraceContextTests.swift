import PipelineCore
import PipelineTesting
import Testing

@Suite("A trace context")
struct TraceContextTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test("is read and written as W3C says")
    func written() throws {
        let context = try #require(TraceContext(Self.valid))
        #expect(context.description == Self.valid)
        #expect(context.traceID == Self.trace)
        #expect(context.header == Header("traceparent", Self.valid))
    }

    @Test("of a later version is read as far as it is known")
    func later() {
        for rest in ["", "-", "-more-of-it"] {
            let context = TraceContext("cc-\(Self.trace)-00f067aa0ba902b7-ff\(rest)")
            #expect(context?.description == "00-\(Self.trace)-00f067aa0ba902b7-ff")
        }
    }

    @Test(
        "that is not valid is none",
        arguments: [
            "", "00", valid + "-", valid + "-more", "ff-\(trace)-00f067aa0ba902b7-01",
            "cc-\(trace)-00f067aa0ba902b7-01more", "00-\(trace)-0000000000000000-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-\(trace)-00f067aa0ba902bg-01", "00_\(trace)_00f067aa0ba902b7_01",
            "0x-\(trace)-00f067aa0ba902b7-01", "00-\(trace)-00f067aa0ba902b7-é",
            "cc-\(trace)-00f067aa0ba902b7-01-" + String(repeating: "x", count: 458),
        ])
    func notValid(_ text: String) { #expect(TraceContext(text) == nil) }

    @Test("is that of a record's header, and of no record without one")
    func records() {
        var record = Record.testing(1)
        #expect(record.trace == nil)
        record.headers = [Header("other", "x"), Header("traceparent", Self.valid)]
        #expect(record.trace?.description == Self.valid)
        record.headers = [Header(name: "traceparent", value: nil)]
        #expect(record.trace == nil)
    }

    @Test("goes into a ledger beside its case, and takes no room where there is none")
    func submissions() throws {
        var records = (0..<3).map { Record.testing($0) }
        #expect(try Submissions(records: records, advances: []).traces.isEmpty)
        records[1].headers = [Header("traceparent", Self.valid)]
        let traces = try Submissions(records: records, advances: []).traces
        #expect(traces.map { $0?.description } == [nil, Self.valid, nil])
    }
}
