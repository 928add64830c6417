internal import Concurrency
internal import PipelineCore
internal import Synchronization

/// A barrier at work: its ledger, and what the loops around it wait for.
///
/// What this process does is told by signals, and to its peers; what others do is looked for
/// every `poll`.
final class RunningBarrier: Sendable {
    /// A killed worker's announcements wait that long at most, however long its batches do:
    /// somebody else makes them with the same bytes, so that an early change of hands costs
    /// nothing.
    private static let longestDeliveryLease: Duration = .seconds(60)
    /// How often to look where every process tells what it has done.
    private static let idlePoll = Duration.hours(1)

    /// The stage's id.
    let id: String
    let ledger: any Ledger
    let lease: Duration
    let poll: Duration
    let retention: Duration?
    let fullBatch: Int?
    /// Sent when the rule may fire earlier than the sealing loop expects.
    let ruleMayFire = Signal()
    /// Sent when this process has sealed batches.
    let sealed = Signal()
    /// Set when the rule has been evaluated for the first time.
    let hasLooked = AsyncEvent()
    private let sla: Duration
    private let forecast: Mutex<SealingForecast>
    /// Sent when this process has committed outcomes; each sink has its own.
    private let committed = Mutex<[String: Signal]>([:])
    private let environment: RunEnvironment

    init(_ barrier: PipelineGraph.Node<Barrier>, environment: RunEnvironment) {
        id = barrier.id
        ledger = barrier.role.ledger
        lease = barrier.role.lease
        poll =
            environment.peers == nil
            ? barrier.role.poll : max(barrier.role.poll, Self.idlePoll)
        retention = barrier.role.retention
        fullBatch = barrier.role.fullBatch
        sla = barrier.role.sla
        forecast = Mutex(SealingForecast(decide: barrier.role.decide))
        self.environment = environment
        environment.peers?.join(self) { [weak self] in self?.receive($0) }
    }

    var deliveryLease: Duration { min(lease, Self.longestDeliveryLease) }

    /// When to look next for what others have done.
    var nextLook: Instant { environment.clock.now.advanced(by: pollWithJitter) }

    var pollWithJitter: Duration { poll * (0.75 + 0.5 * environment.random.unit()) }

    // MARK: What this process has done

    /// New cases are in the ledger: wakes the sealing loop when they may make the rule fire.
    func accepted(_ counts: AcceptedCounts, of records: [Record]) {
        let new = counts.new + counts.reopened
        if new == 0 { return }
        let earliest = records.lazy.compactMap(\.deadline).min()
        arrived(new, earliestDeadline: earliest)
        notify(.arrived(new, earliestDeadline: earliest))
    }

    /// Batches have been sealed, or divided.
    func hasSealed() {
        sealed.send()
        notify(.sealed)
    }

    func hasCommitted(for sinks: [String]) {
        for sink in sinks {
            committed(for: sink).send()
            notify(.committed(sink: sink))
        }
    }

    /// Takes note of a look at the rule.
    func looked(_ result: SealingResult, at now: Instant) {
        forecast.withLock { $0.look(result, at: now) }
        hasLooked.set()
    }

    // MARK: What the loops wait for

    func committed(for sink: String) -> Signal {
        committed.withLock { signals in
            if let signal = signals[sink] { return signal }
            let signal = Signal()
            signals[sink] = signal
            return signal
        }
    }

    /// The store's clock now, as far as this process's runs evenly; `nil` before the first look.
    func storeClock(at now: Instant) -> Timestamp? { forecast.withLock { $0.storeClock(at: now) } }

    private func arrived(_ new: Int, earliestDeadline earliest: Timestamp?) {
        let now = environment.clock.now
        let isDue = forecast.withLock {
            $0.add(new, earliestDeadline: earliest, sla: sla, at: now)
        }
        if isDue { ruleMayFire.send() }
    }

    // MARK: Peers

    private func receive(_ change: BarrierPeers.Change) {
        switch change {
        case .arrived(let count, let earliest): arrived(count, earliestDeadline: earliest)
        case .sealed: sealed.send()
        case .committed(let sink): committed(for: sink).send()
        }
    }

    private func notify(_ change: BarrierPeers.Change) {
        environment.peers?.notify(change, from: self)
    }
}

/// The barriers of one stage in several processes, all that work on the same stores, which tell
/// each other what they have done: then nobody has to be polled for. Simulated processes can.
public final class BarrierPeers: Sendable {
    fileprivate enum Change: Sendable {
        /// So many new cases are in the ledger.
        case arrived(Int, earliestDeadline: Timestamp?)
        /// Batches have been sealed, or divided.
        case sealed
        /// Outcomes have been committed for a sink.
        case committed(sink: String)
    }

    private struct Member {
        var id: ObjectIdentifier
        var receive: @Sendable (Change) -> Void
    }
    private let members = Mutex<[Member]>([])

    public init() {}

    /// - Parameter receive: hears the changes of all others from now on.
    fileprivate func join(_ member: AnyObject, receive: @escaping @Sendable (Change) -> Void) {
        let id = ObjectIdentifier(member)
        members.withLock { $0.append(Member(id: id, receive: receive)) }
    }

    fileprivate func notify(_ change: Change, from member: AnyObject) {
        let id = ObjectIdentifier(member)
        for other in members.withLock({ $0 }) where other.id != id { other.receive(change) }
    }
}
