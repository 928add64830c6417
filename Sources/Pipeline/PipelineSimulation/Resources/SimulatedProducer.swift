internal import PipelineCore

/// Sends to a simulated bus.
struct SimulatedProducer: BusProducer {
    let bus: SimulatedBus

    /// When the answer is lost, all records have arrived, or only the first few.
    func send(_ records: [OutgoingRecord], to topic: String) async throws -> [Int: PipelineError] {
        let fits = records.map { $0.payload.count <= SimulatedBus.largest }
        let good = zip(records, fits).filter(\.1).map(\.0)
        guard !bus.resource.weather.isCalm, let process = SimulatedProcess.current else {
            bus.append(good, to: topic)
            return refusals(fits)
        }
        let fate = bus.resource.weather.fate(in: process.simulator, bus.resource.error)
        var arriving = good.count
        if case .lost = fate.end { arriving = process.simulator.below(good.count + 1) }
        try await process.call(fate) { [bus, arriving] in
            bus.append(Array(good.prefix(arriving)), to: topic)
        }
        return refusals(fits)
    }

    private func refusals(_ fits: [Bool]) -> [Int: PipelineError] {
        var refused: [Int: PipelineError] = [:]
        for index in fits.indices where !fits[index] {
            refused[index] = .permanent("message-too-large", "the message is too large")
        }
        return refused
    }

    func close() async {}
}
