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
