internal import Calendar
public import DryRunReport
internal import PipelineCore

extension SimulationReport {
    /// What became of the records of a stage that did not simply pass; empty if all did.
    func remark(on stage: StageCount) -> String {
        let (kept, refused) = (kept(by: stage), refused(by: stage))
        var remarks: [String] = []
        if let delivered = stage.remarks.delivered {
            remarks.append("\(stage.passed.grouped) \(delivered)")
        }
        switch stage.remarks.kept {
        case _ where kept == 0: break
        case .repeats: remarks.append("\(kept.counting("repeat", "repeats")) dropped")
        case .others(let words): remarks.append("\(kept.grouped) \(words)")
        }
        if refused > 0 { remarks.append("\(refused.grouped) dead-lettered") }
        return remarks.joined(separator: ", ")
    }

    /// `simulated 36 h in 3.1 s (42,000 : 1)`.
    var pace: String {
        let simulated = max(end, traceLength)
        guard took > .zero else { return "simulated \(simulated.spoken)" }
        return "simulated \(simulated.spoken) in \(took.spoken) "
            + "(\((simulated / took).twoDigits) : 1)"
    }

    /// The civil time of an instant, finer if the simulation is short.
    func moment(_ instant: Duration) -> String {
        let clock = CivilTime(start.advanced(by: instant))
        let isShort = max(end, traceLength) < .seconds(600)
        return "\(clock.day) \(isShort ? clock.milliseconds : clock.seconds)"
    }
}

extension Comparison {
    /// One sentence without a full stop.
    public var verdict: String {
        let clauses = [faults, speed, price].compactMap(\.self)
        guard let first = clauses.first else { return "\(names.other) does the same" }
        let rest = clauses.dropFirst()
        return "\(names.other) \(first)" + rest.map { " and \($0)" }.joined()
    }

    private var faults: String? {
        let (before, after) = (base.late + base.unanswered, other.late + other.unanswered)
        guard base.expectsAnswers, other.expectsAnswers, before != after else { return nil }
        func count(_ cases: Int) -> String {
            cases == 0 ? "none" : cases.counting("case", "cases")
        }
        return "leaves \(count(after)) late or unanswered instead of \(count(before))"
    }

    private var speed: String? {
        guard let before = base.wait(quantile: 0.99), let after = other.wait(quantile: 0.99) else {
            return nil
        }
        let gained = before - after
        // Less than a hundredth of the wait is no news.
        if abs(gained / max(before, after, .milliseconds(1))) < 0.01 {
            return "answers as soon at p99"
        }
        return gained > .zero
            ? "answers \(gained.spoken) sooner at p99"
            : "answers \((.zero - gained).spoken) later at p99"
    }

    private var price: String? {
        guard let before = base.generation?.runs, let after = other.generation?.runs else {
            return nil
        }
        let numbers = "(\(after.grouped) instead of \(before.grouped))"
        if before == after { return "costs as many generation runs (\(after.grouped))" }
        if before == 0 || after == 0 { return "costs \(after.counting("run", "runs")) \(numbers)" }
        let ratio = Double(after) / Double(before)
        return after > before
            ? "costs \(ratio.times) the generation runs \(numbers)"
            : "saves \((1 - ratio).percent) of the generation runs \(numbers)"
    }
}

extension CivilTime {
    init(_ time: Timestamp) { self.init(microsecondsSinceEpoch: time.microseconds) }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `24 Nov`.
    var day: String { "\(date.day) \(Self.months[Int(date.month) - 1])" }
    /// `06:00:07.250`.
    var milliseconds: String { "\(seconds).\((microsecond / 1000).padded(to: 3))" }
    /// `2026-11-24 06:00`.
    var dateAndMinutes: String { "\(date.text) \(minutes)" }
    /// `2026-11-24T06:00:07.25Z`.
    var rfc3339: String { rfc3339(.shortest) }
}

extension String {
    /// The text without what would steer a terminal or turn the direction of reading: such
    /// characters appear as escapes, so that a name or a payload can neither colour nor hide.
    var printable: String {
        guard unicodeScalars.contains(where: Self.steers) else { return self }
        var text = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where Self.steers(scalar): text += "\\u{\(String(scalar.value, radix: 16))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// At most so many characters, the last an ellipsis if any were left out.
    func shortened(to count: Int) -> String {
        self.count <= count ? self : prefix(max(0, count - 1)) + "…"
    }

    private static func steers(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
