import PipelineCore
import Testing

@testable import ConversionReports

@Suite("Batches of events")
struct EventBatchTests {
    @Test("sum up by hour, product and checkout, byte by byte")
    func deltas() {
        var counted = CountedEvents(seed: 11)
        let batch = counted.make(3000)
        var sums: [[UInt8]: (views: Int64, payments: Int64)] = [:]
        for event in counted.events {
            let hour = event.time / CountedEvents.hour
            let key = Array("\(hour)|\(event.product)|\(event.checkout ?? "")".utf8)
            if event.kind == .view {
                sums[key, default: (0, 0)].views += Int64(event.count)
            } else {
                sums[key, default: (0, 0)].payments += Int64(event.count)
            }
        }
        let deltas = batch.hourDeltas()
        #expect(deltas.count == sums.count)
        for delta in deltas {
            let row = batch.rows[delta.row]
            let hour = delta.bucket.microseconds / CountedEvents.hour
            let key =
                Array("\(hour)|".utf8) + batch.product(of: row) + [UInt8(ascii: "|")]
                + batch.checkout(of: row)
            #expect(sums[key]?.views == delta.views)
            #expect(sums[key]?.payments == delta.payments)
        }
    }

    @Test("keep product and checkout apart, also where their texts join alike")
    func joins() {
        var batch = EventBatch()
        for (product, checkout) in [("ab", "c"), ("a", "bc"), ("abc", nil)] {
            batch.append(
                id: UUID(high: 0, low: 0), kind: .view, productID: product, checkoutID: checkout,
                occurredAt: Timestamp(microseconds: 0))
        }
        #expect(batch.hourDeltas().map(\.views) == [1, 1, 1])
    }

    @Test(
        "know the month of a time",
        arguments: [
            (0, 1970, 1), (951_782_399_999_999, 2000, 2), (951_868_800_000_000, 2000, 3),
            (1_798_761_599_999_999, 2026, 12), (1_798_761_600_000_000, 2027, 1),
            (253_402_300_799_999_999, 9999, 12),
        ])
    func months(microseconds: Int64, year: Int, month: Int) {
        let found = Timestamp(microseconds: microseconds).month
        #expect(found == CalendarMonth(year: year, month: month))
        #expect(found.advanced(by: 1) == CalendarMonth(index: found.index + 1))
    }
}
