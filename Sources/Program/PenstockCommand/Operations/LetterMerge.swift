internal import CommandLineInterface
internal import PipelineCore

/// Letters of several places in the order of their times, those of one time in the order of the
/// places, which is that of their ids.
///
/// Each place is read in parts, as far as letters are asked for: however many there are, no more
/// than a part of each is held.
struct LetterMerge: Sendable {
    enum Next {
        /// - Parameter source: which of the sources it comes from.
        case letter(DeadLetterEntry, source: Int)
        case end
        /// The time was over before it was known which is the next one.
        case later
    }

    private struct Stream: Sendable {
        let source: any LetterSource
        /// Behind what was handed out or passed over; `nil`: at the beginning.
        var position: LetterPosition?
        /// The next ones, the last one first.
        var held: [DeadLetterEntry] = []
        /// Behind what is held.
        var end: LetterPosition?
        var isDone = false

        mutating func take() -> DeadLetterEntry {
            let letter = held.removeLast()
            position = held.isEmpty ? end : letter.position
            return letter
        }
    }

    /// Places that are read at once: a reader may be a client with threads.
    static let mostReaders = 8
    /// Letters that are held of all places together, as far as each has a few.
    private static let most = 256

    private var streams: [Stream]
    private let part: Int

    init(_ sources: [any LetterSource]) {
        streams = sources.map { Stream(source: $0) }
        part = min(64, max(4, Self.most / max(1, sources.count)))
    }

    /// - Parameter token: says where to go on.
    /// - Throws: ``CommandFailure`` `usage` for what is no token.
    init(_ sources: [any LetterSource], from token: String) throws {
        self.init(sources)
        for part in token.split(separator: "|", omittingEmptySubsequences: false) {
            let pair = part.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, let position = LetterPosition(pair[1]) else {
                throw CommandFailure(.usage, "\"\(token.prefix(100))\" is no token of a page")
            }
            // What is not there any more has nothing to go on with.
            if let index = streams.firstIndex(where: { $0.source.name == pair[0] }) {
                streams[index].position = position
            }
        }
    }

    /// Where it stands, to go on from there.
    var token: String {
        streams.compactMap { stream in stream.position.map { "\(stream.source.name)=\($0)" } }
            .joined(separator: "|")
    }

    /// The oldest one that has not been handed out.
    mutating func next(before deadline: Instant? = nil) async throws -> Next {
        guard try await fill(before: deadline) else { return .later }
        guard let index = oldest else { return .end }
        return .letter(streams[index].take(), source: index)
    }

    /// The next ones, at most so many; none at the end.
    mutating func next(limit: Int) async throws -> [(letter: DeadLetterEntry, source: Int)] {
        var letters: [(letter: DeadLetterEntry, source: Int)] = []
        while letters.count < limit, case .letter(let letter, let source) = try await next() {
            letters.append((letter, source))
        }
        return letters
    }

    /// Whether that was not all, as far as is known in time.
    mutating func hasMore(before deadline: Instant? = nil) async throws -> Bool {
        guard try await fill(before: deadline) else { return true }
        return oldest != nil
    }

    private var oldest: Int? {
        var found: (index: Int, time: Timestamp)?
        for (index, stream) in streams.enumerated() {
            guard let time = stream.held.last?.keptAt else { continue }
            if found.map({ time < $0.time }) ?? true { found = (index, time) }
        }
        return found?.index
    }

    /// Answers whether every place has shown its next letter, or that it has none.
    private mutating func fill(before deadline: Instant?) async throws -> Bool {
        let empty = streams.indices.filter { streams[$0].held.isEmpty && !streams[$0].isDone }
        var parts: [(Int, LetterPart)] = []
        for first in stride(from: 0, to: empty.count, by: Self.mostReaders) {
            parts += try await read(empty[first...].prefix(Self.mostReaders), before: deadline)
        }
        for (index, part) in parts {
            streams[index].held = part.letters.reversed()
            streams[index].end = part.end ?? streams[index].position
            if part.letters.isEmpty { streams[index].position = streams[index].end }
            streams[index].isDone = part.isLast
        }
        return parts.allSatisfy { !$0.1.letters.isEmpty || $0.1.isLast }
    }

    private func read(
        _ some: ArraySlice<Int>, before deadline: Instant?
    ) async throws -> [(Int, LetterPart)] {
        try await withThrowingTaskGroup(of: (Int, LetterPart).self) { group in
            for index in some {
                let stream = streams[index]
                group.addTask { [part] in
                    let part = try await stream.source.part(
                        after: stream.position, limit: part, before: deadline)
                    return (index, part)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }
}

/// One place's letters, in order.
protocol LetterSource: Sendable {
    /// Its name in tokens: `topic/0/2`.
    var name: String { get }
    /// Reads the next ones, at least one unless the time is over or there are none.
    func part(
        after position: LetterPosition?, limit: Int, before deadline: Instant?
    ) async throws -> LetterPart
}

struct LetterPart: Sendable {
    var letters: [DeadLetterEntry] = []
    /// Behind all that was looked at; `nil`: where it was.
    var end: LetterPosition?
    /// Whether there are no more behind them.
    var isLast = false
}

/// Behind a letter of one place.
enum LetterPosition: Sendable, Hashable, CustomStringConvertible {
    /// Behind a letter's number in a store, at the next offset of a partition.
    case number(Int64)
    case outcome(ParkedPlace)

    init?(_ text: Substring) {
        if let number = Int64(text) {
            self = .number(number)
            return
        }
        let parts = text.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4, let at = Int64(parts[0]), let batch = Int64(parts[1]),
            let number = Int64(parts[2])
        else { return nil }
        self = .outcome(
            ParkedPlace(
                parkedAt: Timestamp(microseconds: at), batch: batch, number: number,
                sink: String(parts[3])))
    }

    var description: String {
        switch self {
        case .number(let number): "\(number)"
        case .outcome(let place):
            "\(place.parkedAt.microseconds)/\(place.batch)/\(place.number)/\(place.sink)"
        }
    }

    var number: Int64? { if case .number(let number) = self { number } else { nil } }
    var outcome: ParkedPlace? { if case .outcome(let place) = self { place } else { nil } }
}

extension DeadLetterEntry {
    /// Behind it, where it lies.
    fileprivate var position: LetterPosition {
        switch self {
        case .outcome(let outcome): .outcome(outcome.place)
        case .stored(let letter): .number(letter.number)
        case .topic(let letter): .number(letter.place.offset + 1)
        }
    }

    /// When it came there.
    var keptAt: Timestamp {
        switch self {
        case .outcome(let outcome): outcome.parkedAt
        case .stored(let letter): letter.keptAt ?? .epoch
        case .topic(let letter): letter.record.timestamp
        }
    }
}

/// The outcomes of a ledger that sinks have refused.
struct ParkedLetters: LetterSource {
    let name: String
    let ledger: any Ledger
    let filter: DeadLetterFilter

    func part(
        after position: LetterPosition?, limit: Int, before deadline: Instant?
    ) async throws -> LetterPart {
        var selection = filter.parked
        selection.after = position?.outcome
        let found = try await ledger.parked(selection, limit: limit)
        return LetterPart(
            letters: found.map(DeadLetterEntry.outcome),
            end: found.last.map { .outcome($0.place) }, isLast: found.count < limit)
    }
}

/// The records that a store keeps since their topic does not take them.
struct KeptLetters: LetterSource {
    /// Few at a time: payloads may be large.
    private static let step = 16

    let name: String
    let store: any DeadLetterStore
    let filter: DeadLetterFilter

    func part(
        after position: LetterPosition?, limit: Int, before deadline: Instant?
    ) async throws -> LetterPart {
        var selection = filter.stored
        selection.after = position?.number
        let step = min(Self.step, limit)
        let found = try await store.deadLetters(selection, limit: step)
        return LetterPart(
            letters: found.map(DeadLetterEntry.stored),
            end: found.last.map { .number($0.number) }, isLast: found.count < step)
    }
}

extension [DeadLetterEntry] {
    /// Those that a store keeps.
    var stored: [StoredDeadLetter] {
        compactMap { if case .stored(let letter) = $0 { letter } else { nil } }
    }

    /// Those that lie in topics.
    var inTopics: [TopicLetter] {
        compactMap { if case .topic(let letter) = $0 { letter } else { nil } }
    }
}
