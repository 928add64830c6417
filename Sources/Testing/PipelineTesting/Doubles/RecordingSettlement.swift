internal import Logging
public import PipelineCore

/// An acknowledgement's handler that remembers what it was told.
public final class RecordingSettlement: AcknowledgementHandler {
    /// Every rejection that was kept, in order.
    public let rejections = Journal<Rejection>()
    /// What `settled` was called with; one entry if all is well.
    public let settlements = Journal<Settlement>()
    /// What keeping rejections fails with.
    public let failures: Failures

    public init(failures: Failures = Failures()) { self.failures = failures }

    public func reject(_ rejections: [Rejection]) async throws {
        try failures.throwNext()
        for rejection in rejections { self.rejections.note(rejection) }
    }

    public func settled(_ settlement: Settlement) { settlements.note(settlement) }

    /// Returns once the chunk has settled: `nil` when all is safe, else why it failed.
    public func outcome() async throws -> PipelineError? {
        try await settlements.reaches(1)[0].failure
    }

    /// The ordinals that were rejected so far.
    public var rejectedOrdinals: [Int] { rejections.entries.map(\.record.ordinal) }
}

/// A refusals' observer that remembers what it was told.
public final class RecordingRefusals: RefusalObserver {
    public let rejections = Journal<Rejection>()
    /// Dead letters that lie elsewhere, as `COUNT of INPUT in PLACE`.
    public let keptElsewhere = Journal<String>()

    public init() {}

    public func rejected(_ rejections: [Rejection]) {
        for rejection in rejections { self.rejections.note(rejection) }
    }

    public func keptElsewhere(
        _ count: Int, of input: String, in place: String, because: PipelineError
    ) { keptElsewhere.note("\(count) of \(input) in \(place)") }

    public func paused(_ partitions: [Int32], of input: String, because: PipelineError?) {}
}

extension Settlement {
    /// Why nothing is promised; `nil` for an acknowledgement.
    public var failure: PipelineError? {
        switch self {
        case .acknowledged: nil
        case .failed(let error): error
        }
    }
}

extension Record {
    /// A record of a case: its id and its content are numbers.
    public static func testing(
        _ number: Int, content: UInt8 = 0, ordinal: Int = 0, source: String = "topic",
        offset: Int64 = 0
    ) -> Record {
        var record = Record(
            payload: [UInt8(truncatingIfNeeded: number), content],
            timestamp: Timestamp(microseconds: 0), origin: Origin(source: source, offset: offset),
            ordinal: ordinal)
        record.id = .testing(number)
        return record
    }
}

extension UUID {
    /// The identifier that stands for a number.
    public static func testing(_ number: Int) -> UUID {
        UUID(high: 0x7E57, low: UInt64(truncatingIfNeeded: number))
    }
}

extension Chunk {
    /// A chunk of cases, and what becomes of it.
    ///
    /// - Parameters:
    ///   - numbers: one record each, ordinals from 0, offsets from `offset`.
    ///   - offset: where the chunk begins in partition 0 of `source`; `nil` for an input without
    ///     positions.
    public static func testing(
        _ numbers: some Sequence<Int>, content: UInt8 = 0, source: String = "topic",
        at offset: Int64? = nil, upTo end: Int64? = nil
    ) -> (chunk: Chunk, settlement: RecordingSettlement) {
        let settlement = RecordingSettlement()
        let records = numbers.enumerated().map { index, number in
            Record.testing(
                number, content: content, ordinal: index, source: source,
                offset: (offset ?? 0) + Int64(index))
        }
        let advances = offset.map { start in
            [
                PositionAdvance(
                    source: source, partition: 0, expected: start,
                    next: end ?? start + Int64(records.count))
            ]
        }
        let chunk = Chunk(
            records: records, advances: advances ?? [], acknowledgement: Acknowledgement(settlement)
        )
        return (chunk, settlement)
    }

    /// The numbers that the records were made from.
    public var numbers: [Int] { records.map { Int($0.id?.low ?? 0) } }
}

extension Outcome {
    /// The report of a case that is a number.
    public static func testing(_ number: Int, batch: Int64 = 1) -> Outcome {
        Outcome(
            id: UUID(high: 0x0C, low: UInt64(number)), caseNumber: Int64(number),
            caseID: .testing(number), batch: batch, state: .succeeded, reason: nil,
            report: [UInt8(truncatingIfNeeded: number)], dataAsOf: Timestamp(microseconds: 0),
            writtenAt: Timestamp(microseconds: 0), deadline: Timestamp(microseconds: .max),
            parameters: [])
    }
}

extension StageContext {
    /// What a stage is built with in a test: a silent log, a fixed seed, nothing in its catalogue.
    public static func testing(
        clock: PipelineClock, stage: String = "stage", positions: (any PositionStore)? = nil,
        resources: [ResourceName: any Resource] = [:], sla: Duration = .hours(24),
        catalogue: Catalogue = Catalogue(), servesCallers: Bool = true
    ) -> StageContext {
        StageContext(
            pipeline: "pipeline", stage: stage, sla: sla, worker: "host:1", clock: clock,
            random: RandomSource(seed: 1), logger: LogCapture().logger(), catalogue: catalogue,
            resources: resources, positions: positions, servesCallers: servesCallers)
    }
}
