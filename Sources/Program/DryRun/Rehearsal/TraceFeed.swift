internal import PipelineConfiguration
internal import PipelineCore
internal import PipelineSimulation
internal import Synchronization

/// Lets the messages of a trace arrive at their times, one timer at a time.
final class TraceFeed: Sendable {
    private let trace: ArrivalTrace
    private let simulator: Simulator
    private let deliver: @Sendable (OutgoingRecord) -> Void
    private let ended: @Sendable () -> Void
    private let next = Mutex(0)
    private let isSettled = Mutex(false)

    init(
        _ trace: ArrivalTrace, simulator: Simulator,
        deliver: @escaping @Sendable (OutgoingRecord) -> Void,
        ended: @escaping @Sendable () -> Void
    ) {
        self.trace = trace
        self.simulator = simulator
        self.deliver = deliver
        self.ended = ended
    }

    /// Whether all have arrived, and the last one has been taken in: a repeat that comes when
    /// everything is answered has to be booked, too.
    var isEnded: Bool { isSettled.withLock { $0 } }

    func start() { scheduleNext() }

    private func scheduleNext() {
        let index = next.withLock { $0 }
        guard index < trace.arrivals.count else {
            ended()
            let last = trace.arrivals.last?.at ?? .zero
            _ = simulator.schedule(
                at: Instant(nanoseconds: 0).advanced(by: last + .seconds(1))
            ) { [self] in isSettled.withLock { $0 = true } }
            return
        }
        let at = trace.arrivals[index].at
        simulator.schedule(at: Instant(nanoseconds: 0).advanced(by: at)) { [self] in
            // All of an instant arrive together.
            var index = index
            while index < trace.arrivals.count, trace.arrivals[index].at <= at {
                deliver(trace.arrivals[index].message)
                index += 1
            }
            next.withLock { $0 = index }
            scheduleNext()
        }
    }
}

/// Where simulated messages come in: one input of the pipeline's `ingest`.
enum ArrivalInput {
    case topic(ResourceName, String)
    case api(ResourceName)
    case lines(ResourceName)

    /// A topic if there is one, else the API, else lines; `nil` if nothing can be read.
    init?(of definition: PipelineDefinition) {
        guard let source = definition.stages.first(where: { $0.role == .source }) else {
            return nil
        }
        for use in source.contract.uses {
            guard let topic = use.topic else { continue }
            self = .topic(use.resource, topic.name)
            return
        }
        let names = source.contract.uses.map(\.resource)
        func first(_ kind: ResourceKind) -> ResourceName? {
            names.first { definition.resource($0)?.kinds.contains(kind) == true }
        }
        if let name = first(.api) {
            self = .api(name)
        } else if let name = first(.lines) {
            self = .lines(name)
        } else {
            return nil
        }
    }

    var description: String {
        switch self {
        case .topic(_, let topic): "messages come in by the topic \(topic)"
        case .api(let name): "messages come in by calls of \"\(name.text)\""
        case .lines(let name): "messages come in by lines of \"\(name.text)\""
        }
    }
}

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
