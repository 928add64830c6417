internal import ConfigurationDiagnostics
internal import ConfigurationFields
internal import LocatedJSON
public import PipelineCore
internal import Protobuf

/// Messages with the instants at which they arrive, in order.
public struct ArrivalTrace: Sendable {
    public struct Arrival: Sendable {
        /// From the start of the trace.
        public var at: Duration
        public var message: OutgoingRecord
        public init(at: Duration, message: OutgoingRecord) {
            self.at = at
            self.message = message
        }
    }
    /// When the trace starts, in civil time.
    public var start: Timestamp
    public var length: Duration
    /// Ascending in time.
    public var arrivals: [Arrival]
    /// Where the trace comes from, a sentence without a full stop.
    public var origin: String
    public init(start: Timestamp, length: Duration, arrivals: [Arrival], origin: String) {
        self.start = start
        self.length = length
        self.arrivals = arrivals
        self.origin = origin
    }
}

/// What made-up arrivals are like.
public struct ArrivalMix: Sendable {
    public var patterns: [ArrivalPattern]
    /// Share of arrivals that repeat one of the last hundred.
    public var repeats = 0.0
    /// Share of arrivals that no codec can read.
    public var malformed = 0.0
    public var seed: UInt64 = 1
    public init(patterns: [ArrivalPattern]) { self.patterns = patterns }
}

extension ArrivalTrace {
    /// Made-up arrivals.
    ///
    /// - Parameter sample: makes a payload that a request or event made at that time could have.
    public init(
        _ mix: ArrivalMix, startingAt start: Timestamp,
        sample: @Sendable (RandomSource, Timestamp) -> Bytes
    ) {
        let random = RandomSource(seed: mix.seed)
        var times = mix.patterns.flatMap { $0.times(startingAt: start, random) }
        if mix.patterns.count > 1 { times.sort() }
        var arrivals: [Arrival] = []
        arrivals.reserveCapacity(times.count)
        for time in times {
            let message: OutgoingRecord
            if random.unit() < mix.repeats, let earlier = Self.recent(arrivals, random) {
                message = earlier
            } else {
                var payload = sample(random, start.advanced(by: time))
                // A message cut off in the middle.
                if random.unit() < mix.malformed { payload = payload.prefix(payload.count / 2) }
                message = OutgoingRecord(key: nil, payload: payload)
            }
            arrivals.append(Arrival(at: time, message: message))
        }
        self.init(
            start: start, length: mix.patterns.map(\.end).max() ?? .zero, arrivals: arrivals,
            origin: Self.described(mix))
    }

    private static func recent(_ arrivals: [Arrival], _ random: RandomSource) -> OutgoingRecord? {
        if arrivals.isEmpty { return nil }
        return arrivals[arrivals.count - 1 - random.below(min(100, arrivals.count))].message
    }

    private static func described(_ mix: ArrivalMix) -> String {
        var text = "arrivals: " + mix.patterns.map(\.text).joined(separator: " + ")
        if mix.repeats > 0 { text += ", \(percent(mix.repeats)) of them repeats" }
        if mix.malformed > 0 { text += ", \(percent(mix.malformed)) unreadable" }
        return text + " (made up, seed \(mix.seed))"
    }

    private static func percent(_ share: Double) -> String {
        let tenths = Int((share * 1000).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10) %" : "\(tenths / 10).\(tenths % 10) %"
    }
}

/// Reads a trace from lines of JSON, an arrival each.
///
/// | key | meaning |
/// |---|---|
/// | `at` | when it arrived: RFC 3339, `2026-11-02T08:15:30.250Z` |
/// | `ts` | the same, in milliseconds since 1970, as `kcat -J` prints it |
/// | `payload` | the message: an object, or text that holds it |
/// | `key` | the message's key (optional) |
///
/// Other keys (`topic`, `partition`, `offset`, … of `kcat -J`) are passed over. Lines need not be
/// in order.
enum RecordedArrivals {
    /// - Throws: ``Diagnostics`` that name every line that can't be read.
    static func read(_ text: [UInt8], file: String) throws -> ArrivalTrace {
        var arrivals: [(at: Timestamp, message: OutgoingRecord)] = []
        var problems: [Diagnostic] = []
        for (number, line) in text.split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
        ).enumerated() {
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { continue }
            do { arrivals.append(try arrival(Array(line))) } catch {
                var problem = error
                problem.file = file
                problem.position = Position(
                    line: number + 1, column: error.position?.column ?? 1, offset: 0)
                problems.append(problem)
                if problems.count == 20 { break }
            }
        }
        if arrivals.isEmpty, problems.isEmpty {
            problems = [
                Diagnostic(
                    .invalidValue, "the trace is empty", hint: "write a line for each arrival",
                    file: file)
            ]
        }
        if !problems.isEmpty { throw Diagnostics(problems) }
        arrivals.sort { $0.at < $1.at }
        let start = arrivals[0].at
        let placed = arrivals.map {
            ArrivalTrace.Arrival(at: start.duration(to: $0.at), message: $0.message)
        }
        return ArrivalTrace(
            start: start, length: placed[placed.count - 1].at, arrivals: placed,
            origin: "arrivals: \(placed.count) from \(file)")
    }

    private static func arrival(
        _ line: [UInt8]
    ) throws(Diagnostic) -> (at: Timestamp, message: OutgoingRecord) {
        let parsed = JSON.parse(line)
        if let problem = parsed.problems.first { throw Diagnostic(problem) }
        guard let json = parsed.value, json.members != nil else {
            throw Diagnostic(.wrongType, "an arrival is an object with \"at\" and \"payload\"")
        }
        guard let payload = json["payload"] else {
            throw Diagnostic(
                .missingKey, "the arrival has no \"payload\"",
                hint: #"write {"at": "2026-11-02T08:15:30Z", "payload": {…}}"#)
        }
        let bytes = payload.string.map { Array($0.utf8) } ?? Array(payload.written(.compact).utf8)
        let key = json["key"]?.string.map { Array($0.utf8)[...] }
        return (try time(json), OutgoingRecord(key: key, payload: bytes[...]))
    }

    private static func time(_ json: JSON) throws(Diagnostic) -> Timestamp {
        if let at = json["at"] {
            let text = JSON.quoted(at.string ?? "")
            guard let time = try? Google_Protobuf_Timestamp(jsonUTF8Bytes: Array(text.utf8)) else {
                throw Diagnostic(
                    .wrongType, "\"at\" is no RFC 3339 time", hint: "write 2026-11-02T08:15:30Z",
                    at: at.position)
            }
            return Timestamp(microseconds: time.seconds * 1_000_000 + Int64(time.nanos) / 1000)
        }
        guard let text = json["ts"]?.scalarText, let milliseconds = Int64(text),
            (0...253_402_300_799_999).contains(milliseconds)
        else {
            throw Diagnostic(
                .missingKey, "the arrival has neither \"at\" nor \"ts\"",
                hint: "\"at\" is RFC 3339, \"ts\" milliseconds since 1970")
        }
        return Timestamp(microseconds: milliseconds * 1000)
    }
}
