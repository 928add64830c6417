internal import Calendar
internal import Concurrency
internal import PipelineCore
internal import Protobuf
internal import ReportMessages
internal import Synchronization

/// When a caller whose report is not ready should ask again.
final class PollSchedule: Sendable {
    /// Nobody is sent away for less or for longer than this, jitter included.
    static let shortest: Duration = .seconds(1)
    static let longest: Duration = .seconds(300)
    /// Waits are stretched by up to this share, so that those who asked together do not come back
    /// together.
    private static let jitter = 0.25
    /// How long the batch's schedule is believed before it is looked at again.
    private static let refresh: Duration = .seconds(1)

    /// Nobody waits longer for a look at the store's clock.
    private static let longestLook: Duration = .seconds(1)
    /// How long the store's clock is told from the last look at it.
    private static let clockRefresh: Duration = .seconds(60)

    /// The last look, and when it was.
    private struct Known {
        var expected: ExpectedSealing
        var at: Instant

        /// The store's clock at that instant.
        func clock(at now: Instant) -> Timestamp {
            expected.clock.advanced(by: at.duration(to: now))
        }
    }
    private struct State {
        var known: Known?
        var nextLook = Instant(nanoseconds: .min)
        /// Set when a look that others wait for has ended.
        var looking: AsyncEvent?
    }
    private let cases: (any CaseReader)?
    private let clock: PipelineClock
    private let random: RandomSource
    private let state = Mutex(State())

    init(cases: (any CaseReader)?, clock: PipelineClock, random: RandomSource) {
        self.cases = cases
        self.clock = clock
        self.random = random
    }

    func status(of snapshot: CaseSnapshot) async throws -> ReportStatus {
        let known = snapshot.state == .pending ? try await known() : nil
        let wait =
            known.flatMap { known in
                known.expected.at.map { known.clock(at: clock.now).duration(to: $0) }
            } ?? .zero
        let bounded = min(max(wait, Self.shortest), Self.longest / (1 + Self.jitter))
        return ReportStatus.with {
            $0.state = ReportState(snapshot.state)
            $0.message = "Report is not done! Report status is \(snapshot.state.title)"
            $0.pollAfter = Google_Protobuf_Duration(bounded * (1 + Self.jitter * random.unit()))
            $0.deadline = Google_Protobuf_Timestamp(snapshot.deadline)
            $0.acceptedAt = Google_Protobuf_Timestamp(snapshot.acceptedAt)
            $0.expectedAt = known?.expected.at.map(Google_Protobuf_Timestamp.init)
            $0.batchFill = (known?.expected.waiting).map { Int32(clamping: $0) }
            $0.batchLimit = (known?.expected.fullAt).map { Int32(clamping: $0) }
            $0.waitsFor = snapshot.state.waitsFor(known?.expected)
        }
    }

    /// What is known of the open batch.
    private func known() async throws -> Known? {
        let now = clock.now
        // Before the answer comes, the others go on with what was known: one statement a refresh.
        let isDue = state.withLock { state in
            if now < state.nextLook { return false }
            state.nextLook = now.advanced(by: Self.refresh)
            return true
        }
        if isDue { try await look() }
        return state.withLock { $0.known }
    }

    private func look() async throws {
        guard let expected = try await cases?.expectedSealing() else { return }
        let known = Known(expected: expected, at: clock.now)
        state.withLock { $0.known = known }
    }

    /// The store's clock, told from a look at it and the time since; this process's while it can't
    /// be asked.
    func storeTime() async -> Timestamp {
        let now = clock.now
        let (others, own): (AsyncEvent?, AsyncEvent?) = state.withLock { state in
            if let known = state.known, known.at.duration(to: now) < Self.clockRefresh {
                return (nil, nil)
            }
            if let looking = state.looking { return (looking, nil) }
            state.looking = AsyncEvent()
            return (nil, state.looking)
        }
        try? await others?.wait()
        if let own {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await self.look() }
                group.addTask { try? await self.clock.sleep(for: Self.longestLook) }
                await group.next()
                group.cancelAll()
            }
            state.withLock { $0.looking = nil }
            own.set()
        }
        return state.withLock { $0.known }?.clock(at: clock.now) ?? clock.timestamp
    }
}

extension CaseState {
    /// The state in a sentence: `Pending`.
    fileprivate var title: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }

    /// What a case of that state waits for, a sentence.
    fileprivate func waitsFor(_ sealing: ExpectedSealing?) -> String {
        switch self {
        case .pending: sealing?.sentence ?? "waits until its batch is sealed"
        case .sealed: "its batch is sealed and waits for a worker"
        case .running: "its batch is being generated"
        case .succeeded, .failed, .cancelled, .expired: ""
        }
    }
}

extension ExpectedSealing {
    /// `sealed at 512 requests, 211 wait, or at 2026-11-27T14:05:00Z by max_age`
    fileprivate var sentence: String {
        var ways: [String] = []
        if let fullAt {
            ways.append(
                "at \(fullAt) request\(fullAt == 1 ? "" : "s"), \(waiting) wait\(waiting == 1 ? "s" : "")"
            )
        }
        if let at, let closedBy {
            ways.append(at <= clock ? "now by \(closedBy)" : "at \(at.toSeconds) by \(closedBy)")
        }
        return ways.isEmpty
            ? "sealed when an operator asks for it" : "sealed " + ways.joined(separator: ", or ")
    }
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
        let (seconds, micros) = timestamp.microseconds.flooredDivision(by: 1_000_000)
        self.seconds = seconds
        nanos = Int32(micros) * 1000
    }
}
