import DryRunReport
import PipelineCore
import StandardCatalogue

/// A day of a report service, made up but lifelike and the same at each call: few requests at
/// night, many at noon, some sent twice, some malformed; one worker, one batch at a time.
struct SyntheticDay {
    var pipeline = "conversion-reports"
    var file = "Pipelines/conversion-reports.json"
    /// 2026-11-24, a Tuesday, 00:00 UTC.
    var start = Timestamp(microseconds: 1_795_478_400_000_000)
    var length: Duration = .seconds(86_400)
    /// Messages in the busiest minute; at night a twentieth of it.
    var peakPerMinute = 9.0
    var count: Int? = 512
    var maxAge: Duration? = .seconds(12 * 3600)
    var every: Duration?
    var maxBatch = 512
    var sla: Duration = .seconds(86_400)
    var fixedCost: Duration = .milliseconds(1500)
    var costPerCase: Duration = .milliseconds(4)
    /// When no generation begins.
    var outage: Range<Duration>?
    var seed: UInt64 = 5

    /// What a dry run would report of it.
    func report() -> SimulationReport {
        var report = SimulationReport(
            pipeline: pipeline, file: file, start: start, sla: sla, traceLength: length)
        var (malformed, repeats) = (0, 0)
        var random = SplitMix64(seed: seed)
        for arrival in arrivals(&random) {
            report.arrivals.append(arrival)
            switch random.unit() {
            case ..<0.003: malformed += 1
            case ..<0.03 where !report.cases.isEmpty: repeats += 1
            default: report.cases.append(arrival)
            }
        }
        var batches = Batching(self)
        for arrival in report.cases { batches.accept(arrival) }
        batches.finish()
        report.batches = batches.sealed
        report.waits = batches.waits.sorted()
        report.end = batches.sealed.last?.generation.upperBound ?? length
        report.took = .milliseconds(310)
        report.assumptions = [
            "a generation run takes \(Self.text(fixedCost)) and \(Self.text(costPerCase)) for "
                + "each of its cases",
            "arrivals have a daily rhythm, peak \(Int(peakPerMinute)) a minute, seed \(seed)",
            "one worker; the stores, the bus and the network take no time",
        ]
        count(report.arrivals.count, malformed, repeats, in: &report)
        return report
    }

    private func count(
        _ messages: Int, _ malformed: Int, _ repeats: Int, in report: inout SimulationReport
    ) {
        let (cases, answers) = (report.cases.count, report.waits.count)
        report.stages = [
            StageCount(
                id: "requests", of: Self.stage("ingest"), received: messages,
                passed: messages - malformed),
            StageCount(
                id: "unique", of: Self.stage("dedupe"), received: messages - malformed,
                passed: cases),
            StageCount(
                id: "batch", of: Self.stage("accumulate"), received: cases,
                passed: report.batches.reduce(0) { $0 + $1.cases.count }),
            StageCount(
                id: "reports", of: Self.stage("generate"), received: answers, passed: answers),
            StageCount(id: "ready", of: Self.stage("publish"), received: answers, passed: answers),
            StageCount(id: "answers", of: Self.stage("cache"), received: answers, passed: answers),
        ]
        if malformed > 0 {
            report.deadLetters = [
                DeadLetterCount(
                    stage: "requests", code: "malformed",
                    example: "not a ReportRequest: field 3 (period) ends before it begins",
                    count: malformed)
            ]
        }
        report.generation = GenerationCost(
            runs: report.batches.count,
            busy: fixedCost * report.batches.count + costPerCase * answers,
            single: (fixedCost + costPerCase) * cases)
    }

    /// A stage that ships.
    static func stage(_ type: String) -> any StagePlugin.Type { Catalogue.standard.stage(type)! }

    private func arrivals(_ random: inout SplitMix64) -> [Duration] {
        let minutes = max(1, Int(length / .seconds(60)))
        var arrivals: [Duration] = []
        for minute in 0..<minutes {
            // A parabola between 06:00 and 22:00, squared.
            let hour = Double(minute % 1440) / 60
            let light = max(0, 1 - (hour - 14) * (hour - 14) / 64)
            let rate = peakPerMinute * (0.05 + 0.95 * light * light)
            let here = Int(rate + random.unit())
            arrivals += (0..<here).map { _ in
                .microseconds(Int64(minute) * 60_000_000 + Int64(random.unit() * 60_000_000))
            }.sorted()
        }
        return arrivals
    }

    private static func text(_ duration: Duration) -> String {
        "\(duration / .milliseconds(1)) ms".replacing(".0 ms", with: " ms")
    }
}

/// The trigger's rule and the worker, on arrivals in their order.
private struct Batching {
    let day: SyntheticDay
    var open: [Duration] = []
    var sealed: [BatchFigures] = []
    var waits: [Duration] = []
    var free: Duration = .zero

    init(_ day: SyntheticDay) { self.day = day }

    mutating func accept(_ arrival: Duration) {
        while let due, due.at <= arrival { drain(at: due.at, due.trigger) }
        open.append(arrival)
        if let count = day.count, open.count >= count { seal(count, at: arrival, "count") }
    }

    mutating func finish() {
        while let due { drain(at: due.at, due.trigger) }
    }

    private var due: (at: Duration, trigger: String)? {
        guard let oldest = open.first else { return nil }
        var due: [(at: Duration, trigger: String)] = []
        if let age = day.maxAge { due.append((oldest + age, "max_age")) }
        if let every = day.every {
            due.append((every * (Int((oldest / every).rounded(.down)) + 1), "every"))
        }
        return due.min { $0.at < $1.at }
    }

    private mutating func drain(at instant: Duration, _ trigger: String) {
        while !open.isEmpty { seal(min(open.count, day.maxBatch), at: instant, trigger) }
    }

    private mutating func seal(_ size: Int, at instant: Duration, _ trigger: String) {
        var begin = max(instant, free)
        if let outage = day.outage, outage.contains(begin) { begin = outage.upperBound }
        free = begin + day.fixedCost + day.costPerCase * size
        let first = UInt64(waits.count)
        sealed.append(
            BatchFigures(
                number: Int64(sealed.count + 1), closedBy: trigger, sealedAt: instant,
                generation: begin..<free,
                cases: (0..<size).map { UUID(high: 0, low: first + UInt64($0)) },
                fill: Double(size) / Double(day.maxBatch), longestWait: free - open[0]))
        waits += open.prefix(size).map { free - $0 }
        open.removeFirst(size)
    }
}

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

    /// Four cases, one a second: the scale counts in milliseconds.
    static var seconds: SimulationReport {
        var report = SimulationReport(
            pipeline: "p", file: "p.json", start: SyntheticDay().start, sla: .seconds(60),
            traceLength: .seconds(3))
        report.arrivals = (0..<4).map { .seconds($0) }
        report.cases = report.arrivals
        report.end = .seconds(3)
        return report
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
