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
