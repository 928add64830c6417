public import Batching
internal import ConfigurationDiagnostics
public import ConfigurationFields
internal import Glibc
internal import LocatedJSON
public import PipelineCore

/// What a batching rule must do, told step by step: what arrives, how time passes, and which
/// batches are sealed.
///
/// ```json
/// {
///   "about": "The oldest case decides, not the newest.",
///   "trigger": { "max_age": "1h" },
///   "steps": [
///     { "input": ["a"] }, { "advance": "59m" }, { "input": ["b"] }, { "expect": [], "next": "1m" },
///     { "advance": "1m" }, { "expect": [{ "closed_by": "max_age", "cases": ["a", "b"] }] }
///   ]
/// }
/// ```
///
/// The same transcript runs against the pure machine and against every ledger. The rule is looked
/// at by `expect` only, so that a transcript says itself who was late.
public struct BatchingTranscript: Settings {
    public static let summary = "Steps that a batching rule is put through."

    private let about: String
    private let trigger: Trigger
    private let maxBatch: Int
    private let minInterval: Duration
    let sla: Duration
    /// What the store's clock has to show at the first step.
    public let start: Timestamp
    let steps: [TranscriptStep]
    /// What a wrong transcript's run must say.
    public let fails: String?

    public init(_ field: Fields) {
        about = field("about", "What it shows.", example: "The oldest case decides.")
        trigger = field("trigger", "The rule.", example: .count(3))
        maxBatch = field("max_batch", "Most cases in a batch.", default: 512, in: 1...100_000)
        minInterval = field("min_interval", "Least time between two drains.", default: .zero)
        sla = field("sla", "How far away the deadline of a case is.", default: .hours(24))
        start = field(
            "start", "When it begins.", default: Timestamp(microseconds: 1_767_225_600_000_000))
        steps = field.list("steps", "What happens, in order.", count: 1...256)
        fails = field.optional(
            "fails", "Part of what must be found wrong: for transcripts that test the runner.",
            example: "step 3")
    }

    public var rule: BatchingRule {
        BatchingRule(trigger: trigger, maxBatch: maxBatch, minInterval: minInterval)
    }
}

/// A transcript on disk.
public struct TranscriptFile: Sendable, CustomStringConvertible {
    public let path: String

    /// The file's name without its ending.
    public var description: String {
        String(path.split(separator: "/").last?.dropLast(5) ?? "")
    }

    /// All of a folder, by name. Traps where there is none: a test of no transcripts can't fail.
    public static func all(in folder: String) -> [TranscriptFile] {
        guard let stream = unsafe opendir(folder) else {
            preconditionFailure("there are no transcripts: \(folder) can't be read")
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            names.append(
                unsafe withUnsafeBytes(of: entry.pointee.d_name) { name in
                    unsafe String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        let transcripts = names.filter { $0.hasSuffix(".json") }.sorted()
        precondition(!transcripts.isEmpty, "there are no transcripts in \(folder)")
        return transcripts.map { TranscriptFile(path: "\(folder)/\($0)") }
    }

    /// - Throws: `Diagnostics` for what is not a transcript.
    public func load() throws -> BatchingTranscript {
        guard let file = unsafe fopen(path, "r") else {
            throw ConformanceFailure("cannot read \(path)")
        }
        defer { unsafe fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        bytes.removeLast(bytes.count - (unsafe fread(&bytes, 1, bytes.count, file)))
        let parsed = JSON.parse(bytes)
        guard let json = parsed.value, parsed.problems.isEmpty else {
            throw Diagnostics(parsed.problems.map(Diagnostic.init)).located(in: path)
        }
        do throws(Diagnostics) { return try BatchingTranscript.decode(json) } catch {
            throw error.located(in: path)
        }
    }
}

extension BatchingTranscript {
    /// Puts a subject, whose time is the transcript's ``start``, through all steps.
    ///
    /// - Throws: ``ConformanceFailure`` that names the step and says what was expected and found.
    public func run(on subject: any TranscriptSubject) async throws {
        var run = TranscriptRun(subject: subject, now: start)
        for (index, step) in steps.enumerated() {
            do {
                try await run.perform(step)
            } catch let failure as ConformanceFailure {
                throw ConformanceFailure(
                    "step \(index + 1), \(step.headline) at \(run.now.text): "
                        + failure.description)
            }
        }
    }
}

/// A run in progress.
private struct TranscriptRun {
    let subject: any TranscriptSubject
    var now: Timestamp
    /// By number.
    private var names: [String] = []

    init(subject: any TranscriptSubject, now: Timestamp) {
        self.subject = subject
        self.now = now
    }

    mutating func perform(_ step: TranscriptStep) async throws {
        switch try step.action {
        case .input(let cases, let deadline):
            let deadline = deadline.map { now.advanced(by: $0) }
            let arriving: [String] =
                switch cases {
                case .named(let names): names
                case .number(let count): (0..<count).map { "#\(names.count + $0)" }
                }
            let first = names.count
            names += arriving
            try await subject.accept(
                arriving.indices.map { TranscriptCase(number: first + $0, deadline: deadline) })
        case .advance(let time):
            guard let instant = time.instant(from: now), instant > now else {
                throw ConformanceFailure("time does not go there")
            }
            try await subject.advance(to: instant)
            now = instant
        case .flush: try await subject.flush()
        case .expect(let batches): try await expect(batches, step)
        }
    }

    private func expect(_ batches: [TranscriptBatches.Batch], _ step: TranscriptStep) async throws {
        let sealing = try await subject.seal()
        let found = sealing.batches
        let isRight =
            found.count == batches.count
            && zip(found, batches).allSatisfy { found, expected in
                found.closedBy == expected.closedBy
                    && expected.size ?? found.cases.count == found.cases.count
                    && expected.cases ?? names(of: found) == names(of: found)
            }
        if !isRight {
            let wanted = batches.map { text($0.closedBy, $0.cases, $0.size) }
            let got = found.map { text($0.closedBy, names(of: $0), $0.cases.count) }
            throw ConformanceFailure("expected \(list(wanted)), found \(list(got))")
        }
        if let next = step.next, next.instant(from: now) != sealing.next {
            throw ConformanceFailure(
                "expected next \(next.instant(from: now)?.text ?? "never"), "
                    + "found next \(sealing.next?.text ?? "never")")
        }
        if let waiting = step.waiting {
            try requireEqual(sealing.waiting, waiting, "waiting")
        }
    }

    private func names(of batch: TranscriptSealing.Batch) -> [String] {
        batch.cases.map { names[$0] }
    }

    private func list(_ batches: [String]) -> String {
        batches.isEmpty ? "no batch" : batches.joined(separator: " then ")
    }

    /// `count: a b`, or `count: 512 cases` where the names say nothing.
    private func text(_ reason: String, _ cases: [String]?, _ size: Int?) -> String {
        guard let cases, cases.count <= 12 else {
            return "\(reason): \(size.map { "\($0) cases" } ?? "any cases")"
        }
        return "\(reason): \(cases.joined(separator: " "))"
    }
}

extension TranscriptStep {
    /// The key that makes it a step.
    fileprivate var headline: String {
        if input != nil { return "input" }
        if advance != nil { return "advance" }
        return flush ? "flush" : "expect"
    }
}
