import DryRunReport
import PipelineCore

extension SyntheticDay {
    /// The shipped rule: 512 cases, or twelve hours.
    static var shipped: SimulationReport { SyntheticDay().report() }

    /// A hastier rule on the same trace.
    static var hasty: SimulationReport {
        var day = SyntheticDay()
        day.file = "candidates/every-half-hour.json"
        (day.count, day.maxAge, day.every) = (256, nil, .seconds(1800))
        return day.report()
    }

    /// The generator is down for a day and a half, so that answers come late.
    static var late: SimulationReport {
        var day = SyntheticDay()
        day.outage = .seconds(10 * 3600) ..< .seconds(40 * 3600)
        return day.report()
    }

    /// Only a count seals, so that the last cases wait for ever.
    static var unanswered: SimulationReport {
        var day = SyntheticDay()
        day.file = "count-only.json"
        day.maxAge = nil
        var report = day.report()
        report.end = .seconds(48 * 3600)
        return report
    }

    /// Ten busy minutes at noon.
    static var minutes: SimulationReport {
        var day = SyntheticDay()
        day.file = "burst.json"
        // Noon is the middle of the rhythm only for whole days; ten minutes of night are few.
        (day.length, day.peakPerMinute) = (.seconds(600), 900)
        (day.count, day.maxAge, day.maxBatch) = (100, .seconds(20), 100)
        (day.sla, day.fixedCost, day.costPerCase) = (
            .seconds(60), .milliseconds(120), .milliseconds(2)
        )
        return day.report()
    }

    /// Events that are passed on one by one: nothing is collected and nothing answered.
    static var events: SimulationReport {
        var report = SyntheticDay().report()
        (report.pipeline, report.file) = ("conversion-events", "conversion-events.json")
        report.assumptions = []
        (report.batches, report.waits, report.generation) = ([], [], nil)
        report.end = report.traceLength
        report.stages = [
            StageCount(id: "views", of: stage("ingest"), received: 5000, passed: 4990),
            StageCount(id: "rows", of: stage("publish"), received: 4990, passed: 4990),
        ]
        return report
    }

    /// A trace without a message.
    static var empty: SimulationReport {
        var day = SyntheticDay()
        day.peakPerMinute = 0
        return day.report()
    }

    /// A week with two messages a second, in batches of 32.
    static var million: SimulationReport {
        var report = SimulationReport(
            pipeline: "p", file: "p.json", start: SyntheticDay().start, sla: .seconds(3600),
            traceLength: .seconds(7 * 86_400))
        report.arrivals = (0..<1_200_000).map { .milliseconds($0 * 500) }
        report.cases = report.arrivals
        report.waits = (0..<1_200_000).map { .microseconds($0 * 15) }
        let ids = (0..<32).map { UUID(high: 0, low: $0) }
        report.batches = (1...37_500).map { number in
            let sealed = Duration.seconds(number * 16)
            return BatchFigures(
                number: Int64(number), closedBy: "count", sealedAt: sealed,
                generation: sealed..<sealed + .seconds(2), cases: ids, fill: 1)
        }
        return report
    }
}
