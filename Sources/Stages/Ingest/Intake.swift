internal import PipelineCore

/// Makes chunks of what inputs have read: decodes, and refuses what can't be decoded.
struct Intake: Sendable {
    let decoder: (any RecordDecoder)?
    let context: StageContext

    /// The delivery of what an input has read: what is refused of it is counted.
    func delivery(_ handler: any DeliveryHandler) -> Delivery {
        Delivery(handler, refusals: context.refusals)
    }

    /// Hands the records on, except those that are refused; a chunk without records still moves its positions.
    func send(
        _ records: [Record], advances: [PositionAdvance], delivery: Delivery, into outlet: Outlet
    ) async throws {
        var records = records
        if let decoder {
            let refused = decoder.decode(
                &records, stage: context.stage, now: context.clock.timestamp)
            try await delivery.reject(refused)
        }
        try await outlet.send(Chunk(records: records, advances: advances, delivery: delivery))
    }

    /// Whether the record can be decoded; one that nothing has to decode always can.
    func canRead(_ record: Record) -> Bool {
        var records = [record]
        let refused = decoder?.decode(
            &records, stage: context.stage, now: context.clock.timestamp)
        return refused?.isEmpty ?? true
    }
}
