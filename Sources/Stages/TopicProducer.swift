internal import ConfigurationFields
internal import LocatedJSON
internal import PipelineCore
internal import Synchronization

/// Sends to one topic, which is created if need be: at the first send, and again when it has gone.
final class TopicProducer: Sendable {
    private struct State {
        var producer: (any BusProducer)?
        var isThere = false
    }
    let topic: String
    private let bus: any Bus
    private let partitions: Int?
    private let state = Mutex(State())

    init(bus: any Bus, topic: String, partitions: Int?) {
        self.bus = bus
        self.topic = topic
        self.partitions = partitions
    }

    /// - Returns: what the bus refuses for good, by index into `records`.
    /// - Throws: ``PipelineError`` as ``BusProducer/send(_:to:)``; `bus-mismatch`, fatal, when the bus refuses what it
    ///   was not given.
    func send(_ records: [OutgoingRecord]) async throws -> [Int: PipelineError] {
        let producer = try await opened()
        do {
            let refused = try await producer.send(records, to: topic)
            if let foreign = refused.keys.first(where: { !records.indices.contains($0) }) {
                throw PipelineError.fatal(
                    .busMismatch,
                    "the bus refuses message \(foreign) of \(records.count) for \(topic), which it was not given"
                )
            }
            return refused
        } catch let error as PipelineError where error.code == .topicMissing {
            state.withLock { $0.isThere = false }
            throw error
        }
    }

    private func opened() async throws -> any BusProducer {
        let (open, isThere) = state.withLock { ($0.producer, $0.isThere) }
        if let open, isThere { return open }
        try await bus.ensureTopic(topic, partitions: partitions)
        let new = if let open { open } else { try await bus.producer() }
        return state.withLock { state in
            state.isThere = true
            state.producer = state.producer ?? new
            return state.producer ?? new
        }
    }

    func close() async { await state.withLock { $0.producer }?.close() }
}

/// A topic, as every bus takes it: [Kafka's names](https://kafka.apache.org/documentation/), and room for
/// `.dead-letters` behind it.
struct TopicName: TextValue, Hashable {
    static var kind: String { "name of a topic" }
    static var schema: JSON { ["type": "string", "pattern": "^[A-Za-z0-9._-]{1,236}$"] }
    private static let longest = 236

    let text: String

    /// A name that is known to be one.
    init(_ text: String) { self.text = text }

    init(parsing text: String) throws(Refusal) {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isPlain, (1...Self.longest).contains(text.utf8.count), text != ".", text != ".."
        else {
            throw Refusal(
                .invalidValue, "is not the name of a topic",
                hint: "1 to \(Self.longest) letters, digits, '.', '_' or '-'")
        }
        self.text = text
    }
}

/// How a missing topic is created.
struct TopicCreation: Settings {
    static let summary = "How a topic that is not there is created."
    let partitions: Int
    init(_ field: Fields) {
        partitions = field(
            "partitions", "How many partitions a new topic gets.", default: 1, in: 1...1000)
    }
}
