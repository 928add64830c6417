import Metrics
import Testing

@Suite("Metrics")
struct MetricsTests {
    private let registry = MetricRegistry()

    @Test func areExposedInThePrometheusTextFormatInAStableOrder() {
        registry.makeGauge(name: "penstock_pending", labels: [("stage", "batch")], help: "Waiting.")
            .set(12.5)
        let accepted = registry.makeCounter(
            name: "penstock_accepted_total", labels: [("topic", "b"), ("outcome", "ok")],
            help: "Records taken in.")
        accepted.increment()
        accepted.increment(by: 41)
        registry.makeCounter(
            name: "penstock_accepted_total", labels: [("outcome", "ok"), ("topic", "a")]
        ).increment(by: 0.5)
        let took = registry.makeHistogram(
            name: "penstock_run_seconds", help: "A generation run.", buckets: .init([0.1, 1]))
        took.observe(.milliseconds(50))
        took.observe(0.1)
        took.observe(7.0)
        #expect(
            registry.exposition() == """
                # HELP penstock_accepted_total Records taken in.
                # TYPE penstock_accepted_total counter
                penstock_accepted_total{outcome="ok",topic="a"} 0.5
                penstock_accepted_total{outcome="ok",topic="b"} 42
                # HELP penstock_pending Waiting.
                # TYPE penstock_pending gauge
                penstock_pending{stage="batch"} 12.5
                # HELP penstock_run_seconds A generation run.
                # TYPE penstock_run_seconds histogram
                penstock_run_seconds_bucket{le="0.1"} 2
                penstock_run_seconds_bucket{le="1"} 2
                penstock_run_seconds_bucket{le="+Inf"} 3
                penstock_run_seconds_sum 7.15
                penstock_run_seconds_count 3\n
                """)
    }

    @Test func escapeWhatTheFormatReserves() {
        registry.makeGauge(
            name: "escaped", labels: [("path", "C:\\\n\"x\"")], help: "back\\slash\nand line"
        ).set(1)
        #expect(
            registry.exposition() == #"""
                # HELP escaped back\\slash\nand line
                # TYPE escaped gauge
                escaped{path="C:\\\n\"x\""} 1

                """#)
    }

    @Test(arguments: [
        (Double.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"), (-3, "-3"),
        (1e300, "1e+300"),
    ])
    func writeEveryNumber(value: Double, text: String) {
        registry.makeGauge(name: "number").set(value)
        #expect(registry.exposition() == "# TYPE number gauge\nnumber \(text)\n")
    }

    @Test func areTheSameForTheSameNameAndLabels() {
        let first = registry.makeCounter(name: "same_total", labels: [("a", "1"), ("b", "2")])
        let second = registry.makeCounter(name: "same_total", labels: [("b", "2"), ("a", "1")])
        let other = registry.makeCounter(name: "same_total", labels: [("a", "2"), ("b", "2")])
        #expect(first === second)
        #expect(first !== other)
    }

    @Test func readGaugesWhenTheyAreAskedFor() {
        registry.setGauge(name: "lag") { 3 }
        registry.setGauge(name: "unknown") { nil }
        #expect(registry.exposition().contains("lag 3\n"))
        registry.setGauge(name: "lag") { 4 }
        #expect(registry.exposition().contains("lag 4\n"))
        #expect(!registry.exposition().contains("unknown 0"))
    }

    @Test func loseNothingWhenManyTasksCount() async {
        let counter = registry.makeCounter(name: "counted_total")
        let histogram = registry.makeHistogram(name: "values", buckets: .init([1, 2, 4]))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for value in 1...5000 {
                        counter.increment()
                        counter.increment(by: 0.25)
                        histogram.observe(Double(value % 8))
                    }
                }
            }
        }
        #expect(counter.value == 50_000)
        #expect(histogram.count == 40_000)
        #expect(histogram.total == 140_000)
    }
}
