public import PipelineCore
internal import Synchronization

/// How calls to one resource go: how long they take, and how often they fail.
///
/// Faults are attached to calls, not to hours: what matters happens between two calls.
public struct Weather: Sendable {
    /// How long a request, and an answer, is under way.
    public var delay: ClosedRange<Duration> = .microseconds(100) ... .milliseconds(3)
    /// Share of calls that take up to ``longDelay`` instead.
    public var slow = 0.0
    public var longDelay: Duration = .seconds(20)
    /// Share of calls that are refused before anything happens.
    public var refused = 0.0
    /// Share of calls that are done and whose answer is lost.
    public var lost = 0.0
    /// Times during which every call is refused.
    public var outages: [Range<Instant>] = []
    /// From then on nothing fails any more.
    public var clearsUp = Instant(nanoseconds: .max)
    public init() {}

    /// Calls take no time and never fail.
    public static var calm: Weather {
        var weather = Weather()
        weather.delay = .zero ... .zero
        return weather
    }
    var isCalm: Bool {
        delay.upperBound == .zero && slow == 0 && refused == 0 && lost == 0 && outages.isEmpty
    }

    /// Draws how a call made now goes.
    /// - Parameter error: what a refused call, and one whose answer is lost, fails with.
    public func fate(in simulator: Simulator, _ error: PipelineError) -> CallFate {
        let now = simulator.now
        let isFair = now >= clearsUp
        var fate = CallFate(
            request: simulator.duration(delay), answer: simulator.duration(delay), end: .answered)
        if isFair { return fate }
        if simulator.chance(slow) { fate.request = simulator.duration(.zero...longDelay) }
        if simulator.chance(slow) { fate.answer = simulator.duration(.zero...longDelay) }
        if simulator.chance(refused) || outages.contains(where: { $0.contains(now) }) {
            fate.end = .refused(error)
        } else if simulator.chance(lost) {
            fate.end = .lost(error)
        }
        return fate
    }
}

/// A resource that simulated processes share: its effects outlive whoever asked for them.
///
/// Outside of simulated processes calls are made at once, without faults.
struct SharedResource: Sendable {
    let weather: Weather
    /// What failing calls fail with.
    let error: PipelineError

    func call<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        guard !weather.isCalm, let process = SimulatedProcess.current else { return try body() }
        return try await process.call(weather.fate(in: process.simulator, error), body)
    }
}
