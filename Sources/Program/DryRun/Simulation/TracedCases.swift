internal import PipelineConfiguration
internal import PipelineCore

/// The distinct cases that a trace asks for, as the pipeline's codec reads them.
struct TracedCases: Sendable {
    /// When each case arrives first.
    private(set) var arrival: [UUID: Duration] = [:]
    /// Those times, ascending.
    private(set) var times: [Duration] = []

    init(_ trace: ArrivalTrace, _ definition: PipelineDefinition, _ catalogue: Catalogue) {
        guard let source = definition.stages.first(where: { $0.role == .source }),
            definition.stages.contains(where: { $0.role == .worker }),
            let decoding = source.settings as? any DecodingStage,
            let decoder = catalogue.codec(decoding.codec)?.decoder
        else { return }
        for item in trace.arrivals {
            let now = trace.start.advanced(by: item.at)
            var records = [
                Record(
                    key: item.message.key, payload: item.message.payload, timestamp: now,
                    origin: Origin(source: "trace", offset: 0))
            ]
            _ = decoder.decode(&records, stage: source.id, now: now)
            guard let id = records.first?.id, arrival[id] == nil else { continue }
            arrival[id] = item.at
            times.append(item.at)
        }
    }
}
