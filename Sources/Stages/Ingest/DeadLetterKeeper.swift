internal import LocatedJSON
internal import PipelineCore
internal import Synchronization

/// Keeps refused records of one topic where an operator finds them: in the topic beside it; what
/// that does not take, in the store of the chain; without one, in a file.
///
/// While the bus is away nobody is asked: that passes. What it refuses is refused for good (too
/// large, no permission, a topic that can't be made, too few replicas), and must not hold up
/// anything.
final class DeadLetterKeeper: Sendable {
    /// How long a topic that takes nothing at all is not tried again.
    private static let refusalRest = Duration.seconds(60)

    private let producer: TopicProducer
    private let input: String
    private let resource: String
    private let place: (any DeadLetterPlace)?
    private let placeName: String
    private let clock: PipelineClock
    private let observer: any RefusalObserver
    /// Why the topic takes nothing, and until when that is believed.
    private let refusal = Mutex<(error: PipelineError, until: Instant)?>(nil)

    /// - Parameter file: takes what the topic does not, in a chain without a store.
    init(
        _ producer: TopicProducer, input: String, resource: String,
        file: (any DeadLetterPlace)?, context: StageContext
    ) {
        self.producer = producer
        self.input = input
        self.resource = resource
        place = context.deadLetters ?? file
        placeName = context.deadLetters == nil ? "file" : "store"
        clock = context.clock
        observer = context.refusals
    }

    /// Returns once they are safe.
    /// - Throws: retryable for what passes; `fenced` `dead-letters-refused` when nothing takes
    ///   them: their chunk is to be given up, and their partitions have to rest.
    func keep(_ rejections: [Rejection]) async throws {
        let refused = try await send(rejections)
        if refused.isEmpty { return }
        let letters = refused.sorted { $0.key < $1.key }.map { index, error in
            StoredDeadLetter(rejections[index], resource: resource, refusal: error)
        }
        let first = letters[0].refusal
        do {
            guard let place else { throw first }
            try await place.keep(letters)
        } catch let error as PipelineError where error.disposition == .retryable {
            throw error
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw PipelineError.fenced(
                .deadLettersRefused,
                "nothing takes a dead letter of \(input): its topic says: \(first); "
                    + (place == nil
                        ? "there is no store and no file" : "the \(placeName) says: \(error)"),
                cause: error)
        }
        observer.keptElsewhere(letters.count, of: input, in: placeName, because: first)
    }

    /// Answers what the topic does not take, by index.
    private func send(_ rejections: [Rejection]) async throws -> [Int: PipelineError] {
        let all = { (error: PipelineError) in
            Dictionary(uniqueKeysWithValues: rejections.indices.map { ($0, error) })
        }
        let known = refusal.withLock { $0 }
        if let known, clock.now < known.until { return all(known.error) }
        do {
            return try await producer.send(rejections.map(DeadLetter.record))
        } catch let error as PipelineError where error.isRefusalOfTopic {
            refusal.withLock { $0 = (error, clock.now.advanced(by: Self.refusalRest)) }
            return all(error)
        }
    }

    func close() async { await producer.close() }
}

extension PipelineError {
    /// Whether a topic takes nothing at all, and waiting does not help: somebody has to do
    /// something first.
    fileprivate var isRefusalOfTopic: Bool {
        switch disposition {
        case .permanent, .fatal: code != .producerClosed
        // Reported only after the bus has been given its time.
        case .retryable: code == .replicasMissing
        case .fenced: false
        }
    }
}

/// Dead letters as lines of JSON, in a file.
struct DeadLetterLines: DeadLetterPlace {
    let lines: any LineOutput

    /// The file of an ingest: `nil` where the catalogue knows no files.
    init?(path: String, context: StageContext) throws {
        guard let address = ResourceAddress(url: "file:\(path)"),
            let connector = context.catalogue.connector(address.scheme),
            let lines = try connector.open(
                address,
                ResourceContext(
                    clock: context.clock, random: context.random, logger: context.logger,
                    isRunning: true)) as? any LineOutput
        else { return nil }
        self.lines = lines
    }

    func keep(_ letters: [StoredDeadLetter]) async throws {
        do {
            try await lines.append(
                letters.map { letter in
                    OutgoingRecord(
                        key: nil, payload: Array(letter.json.written(.compact).utf8)[...])
                })
        } catch let error as PipelineError where error.disposition == .retryable {
            // A full disk is not waited out with everything held up.
            throw PipelineError.permanent(error.code, error.message, cause: error)
        }
    }
}
