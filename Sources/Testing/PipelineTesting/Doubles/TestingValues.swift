internal import Logging
public import PipelineCore

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
