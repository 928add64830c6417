internal import PipelineCore

/// Makes chunks of what inputs have read: decodes, and refuses what can't be decoded.
struct Intake: Sendable {
    let decoder: (any RecordDecoder)?
    let context: StageContext

    /// The acknowledgement for what an input has read: what is refused of it is counted.
    func acknowledgement(_ handler: any AcknowledgementHandler) -> Acknowledgement {
        Acknowledgement(handler, refusals: context.refusals)
    }

    /// Hands the records on, except those that are refused; a chunk without records still moves its
    /// positions.
    func send(
        _ records: [Record], advances: [PositionAdvance], acknowledgement: Acknowledgement,
        into outlet: Outlet
    ) async throws {
        var records = records
        if let decoder {
            let refused = decoder.decode(
                &records, stage: context.stage, now: context.clock.timestamp)
            try await acknowledgement.reject(refused)
        }
        try await outlet.send(
            Chunk(records: records, advances: advances, acknowledgement: acknowledgement))
    }

    /// Whether the record can be decoded; one that nothing has to decode always can.
    func canRead(_ record: Record) -> Bool {
        var records = [record]
        let refused = decoder?.decode(
            &records, stage: context.stage, now: context.clock.timestamp)
        return refused?.isEmpty ?? true
    }
}
