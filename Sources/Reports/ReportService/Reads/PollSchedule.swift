internal import PipelineCore
internal import Protobuf
internal import ReportMessages
internal import Synchronization

/// When a caller whose report is not ready should ask again.
final class PollSchedule: Sendable {
    /// Nobody is sent away for less or for longer than this, jitter included.
    static let shortest: Duration = .seconds(1)
    static let longest: Duration = .seconds(300)
    /// Waits are stretched by up to this share, so that those who asked together do not come back together.
    static let jitter = 0.25
    /// How long the batch's schedule is believed before it is looked at again.
    static let refresh: Duration = .seconds(1)

    private struct Known {
        var sealing: Timestamp?
        var until: Instant
    }
    private let cases: (any CaseReader)?
    private let clock: PipelineClock
    private let random: RandomSource
    private let known = Mutex<Known?>(nil)

    init(cases: (any CaseReader)?, clock: PipelineClock, random: RandomSource) {
        self.cases = cases
        self.clock = clock
        self.random = random
    }

    func status(of snapshot: CaseSnapshot) async throws -> ReportStatus {
        let wait = try await expectedWait(snapshot.state)
        let bounded = min(max(wait, Self.shortest), Self.longest / (1 + Self.jitter))
        return ReportStatus.with {
            $0.state = ReportState(snapshot.state)
            $0.message = "Report is not done! Report status is \(snapshot.state.title)"
            $0.pollAfter = Google_Protobuf_Duration(bounded * (1 + Self.jitter * random.unit()))
            $0.deadline = Google_Protobuf_Timestamp(snapshot.deadline)
            $0.acceptedAt = Google_Protobuf_Timestamp(snapshot.acceptedAt)
        }
    }

    private func expectedWait(_ state: CaseState) async throws -> Duration {
        guard state == .pending, let sealing = try await expectedSealing() else { return .zero }
        return clock.timestamp.duration(to: sealing)
    }

    private func expectedSealing() async throws -> Timestamp? {
        let now = clock.now
        if let known = known.withLock({ $0 }), known.until > now { return known.sealing }
        // Before the answer comes, the others go on with what was known: one statement a refresh.
        known.withLock { known in
            known = Known(sealing: known?.sealing, until: now.advanced(by: Self.refresh))
        }
        let sealing = try await cases?.expectedSealing()
        known.withLock { $0 = Known(sealing: sealing, until: now.advanced(by: Self.refresh)) }
        return sealing
    }
}

extension CaseState {
    /// The state in a sentence: `Pending`.
    var title: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
}

extension ReportState {
    init(_ state: CaseState) {
        self =
            switch state {
            case .pending: .pending
            case .sealed: .sealed
            case .running: .running
            case .succeeded: .succeeded
            case .failed: .failed
            case .cancelled: .cancelled
            case .expired: .expired
            }
    }
}

extension Google_Protobuf_Timestamp {
    init(_ timestamp: Timestamp) {
        self.init()
        let micros = timestamp.microseconds
        let seconds = micros >= 0 ? micros / 1_000_000 : (micros - 999_999) / 1_000_000
        self.seconds = seconds
        nanos = Int32(micros - seconds * 1_000_000) * 1000
    }
}
