import PipelineCore
import PipelineSimulation

/// A request as it is sent: an id, a deadline, and what is asked.
struct Request: Sendable {
    var id: UUID
    /// Seconds after the world's beginning; 0 for none.
    var deadline: Int
    var text: String

    var payload: Bytes { Array("\(id) \(deadline) \(text)".utf8)[...] }
    var key: Bytes { Array(id.description.utf8)[...] }

    init(id: UUID, deadline: Int, text: String) {
        self.id = id
        self.deadline = deadline
        self.text = text
    }

    init?(_ payload: Bytes) {
        let words = String(decoding: payload, as: UTF8.self)
            .split(separator: " ", maxSplits: 2).map(String.init)
        guard words.count == 3, let id = UUID(words[0]), let deadline = Int(words[1])
        else { return nil }
        self.init(id: id, deadline: deadline, text: words[2])
    }
}

/// Reads requests and renders outcomes of simulated worlds.
struct SimulatedCodec: RecordDecoder, OutcomeEncoder {
    func decode(_ records: inout [Record], stage: String, now: Timestamp) -> [Rejection] {
        var refused: [Rejection] = []
        var read: [Record] = []
        for var record in records {
            guard let request = Request(record.payload) else {
                refused.append(
                    Rejection(
                        record, stage: stage, code: ErrorCode(foreign: "malformed"),
                        reason: "not a request"))
                continue
            }
            record.id = request.id
            record.digest = Digest(of: record.payload)
            if request.deadline > 0 {
                record.deadline = Self.epoch.advanced(by: .seconds(request.deadline))
            }
            read.append(record)
        }
        records = read
        return refused
    }

    private static let epoch = Timestamp(microseconds: 1_767_225_600_000_000)

    func announcement(_ outcome: Outcome) throws -> OutgoingRecord {
        OutgoingRecord(
            key: Array(outcome.caseID.description.utf8)[...], payload: try cached(outcome),
            headers: [Header("event-id", outcome.id.description)])
    }

    func cached(_ outcome: Outcome) throws -> Bytes {
        let answer = outcome.report.map { String(decoding: $0, as: UTF8.self) } ?? outcome.reason
        let text =
            "\(outcome.id) \(outcome.caseID) \(outcome.state) \(outcome.writtenAt.microseconds) "
            + "\(outcome.dataAsOf?.microseconds ?? 0) \(outcome.revision) \(answer ?? "")"
        return Array(text.utf8)[...]
    }

    func recognize(_ bytes: Bytes, of id: UUID) -> CachedAnswer {
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        guard words.count >= 6, words[1] == id.description[...], let revision = Int(words[5])
        else { return .foreign }
        return words[2] == "succeeded" ? .lasting(revision: revision) : .passing
    }
}

/// Answers batches in virtual time, with planted errors.
///
/// A case whose parameters hold `poison` makes its whole run fail for good, one with `refused` is
/// answered with a reason; any run may fail for now. Every run answers differently, so that an
/// outcome that changes shows.
struct FailingGenerator: Generator {
    var runTime: ClosedRange<Duration> = .seconds(1) ... .seconds(30)
    /// Share of runs that fail and may be tried again.
    var failing = 0.0
    /// From then on runs fail for good reasons only.
    var faultsEnd = Instant(nanoseconds: .max)
    private let process: SimulatedProcess

    init(in process: SimulatedProcess) { self.process = process }

    func generate(_ batch: Batch) async throws -> GeneratedBatch {
        let simulator = process.simulator
        let dataAsOf = process.timestamp
        try await process.clock.sleep(for: simulator.duration(runTime))
        if process.now < faultsEnd, simulator.chance(failing) {
            throw PipelineError.retryable(.overloaded, "the generator is out of order")
        }
        let texts = batch.cases.map { String(decoding: $0.parameters, as: UTF8.self) }
        if texts.contains(where: { $0.contains("poison") }) {
            throw PipelineError.permanent(
                .invalidParameters, "a case of the batch can't be generated")
        }
        let run = simulator.next()
        let results = zip(batch.cases, texts).map { item, text -> CaseResult in
            if text.contains("refused") {
                return .failure(
                    code: .invalidParameters, reason: "no such product, says run \(run)")
            }
            return .report(Array("report of \(item.id) by run \(run)".utf8)[...])
        }
        return GeneratedBatch(results: results, dataAsOf: dataAsOf)
    }
}
