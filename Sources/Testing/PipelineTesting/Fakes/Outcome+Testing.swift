public import PipelineCore

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
