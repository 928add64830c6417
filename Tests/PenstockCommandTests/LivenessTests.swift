import AdminHTTP
import Concurrency
import Glibc
import Logging
import Metrics
import PipelineCore
import PipelineTesting
import Synchronization
import Testing

@testable import PenstockCommand
@testable import PipelineRuntime

@Suite("A process that is stuck", .timeLimit(.minutes(5)))
struct LivenessTests {
    private let time = ManualClock()
    private let log = LogCapture()
    private var outages: Outages { Outages(clock: time.clock, logger: log.logger()) }

    /// A pipeline whose input never ends, and whose sink answers when its gate opens.
    private func pipeline(_ sink: RecordingSink) -> PipelineRun {
        let source = ScriptedSource { outlet in
            try await outlet.send(Chunk.testing([1]).chunk)
            do { try await AsyncEvent().wait() } catch is CancellationError {}
        }
        let graph = PipelineGraph(
            name: "events", sources: [.init(id: "in", role: [source])],
            head: [.init(id: "out", role: .recordSink(sink))], tail: nil)
        return PipelineRun(
            graph, role: .all,
            environment: RunEnvironment(
                clock: time.clock, random: RandomSource(seed: 1), logger: log.logger(),
                worker: "host:1", grace: .zero))
    }

    /// Moves time on by a second at a time; who waits for it goes on.
    ///
    /// - Parameter sleepers: how many tasks sleep whenever all have done what they do: a monitor's
    ///   look, and each resource that it asks, unless that does not answer.
    private func pass(
        _ seconds: Int, sleepers: Int = 1, beside other: ManualClock? = nil
    ) async {
        for _ in 0..<seconds {
            try? await time.sleepers(atLeast: sleepers)
            other?.advance(by: .seconds(1))
            time.advance(by: .seconds(1))
            try? await time.sleepers(atLeast: sleepers)
            await settleDown()
        }
    }

    /// Lets others go on until that is so.
    private func until(_ condition: () -> Bool) async {
        while !condition() { await Task.yield() }
    }

    private func settleDown() async {
        let start = ContinuousClock.now
        repeat {
            for _ in 0..<500 { await Task.yield() }
        } while start.duration(to: .now) < .milliseconds(2)
    }

    @Test("says so while its backends are there, and not for an outage, nor for minutes after it")
    func backends() async throws {
        let (store, sink) = (SwitchedResource(), RecordingSink(isOpen: false))
        let (run, stop) = (pipeline(sink), AsyncEvent())
        let registry = MetricRegistry()
        let monitor = ReadinessMonitor(
            resources: [("store", store)], runs: [run], stop: stop, clock: time.clock,
            logger: log.logger(), outages: outages)
        monitor.expose(in: registry)
        let gauge = "penstock_pipeline_stuck{pipeline=\"events\"} "
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await run.run() }
            try await sink.arrivals.reaches(1)
            group.addTask { await monitor.run() }
            try await time.sleepers(atLeast: 2)
            await pass(290, sleepers: 2)
            #expect(monitor.liveness == .alive && monitor.readiness == .ready)
            #expect(
                registry.exposition().contains(gauge + "0"))
            await pass(30, sleepers: 2)
            var reason = ""
            if case .stuck(let told) = monitor.liveness { reason = told }
            #expect(reason.hasPrefix("events: stage out has not ended for 3"))
            #expect(
                registry.exposition().contains(gauge + "1"))
            #expect(
                monitor.readiness == .notReady(reason: "events: is stuck: " + reason.dropFirst(8)))
            #expect(log.events.filter { $0.message.hasPrefix("the pipeline is stuck") }.count == 1)
            store.isThere.withLock { $0 = false }
            await pass(10, sleepers: 2)
            #expect(monitor.liveness == .alive)
            store.isThere.withLock { $0 = true }
            await pass(280, sleepers: 2)
            #expect(monitor.liveness == .alive)
            await pass(40, sleepers: 2)
            #expect(monitor.liveness != .alive)
            sink.gate.set()
            await until { monitor.liveness == .alive && monitor.readiness == .ready }
            stop.set()
            group.cancelAll()
        }
    }

    @Test(
        "is not ready while a backend stands still, and says so once, now and then, and at the end")
    func silence() async throws {
        let (store, stop, registry) = (SwitchedResource(), AsyncEvent(), MetricRegistry())
        // The clock of a run that a reload has begun is younger than its process's.
        let processTime = ManualClock()
        processTime.advance(by: .hours(1))
        let outages = Outages(
            clock: processTime.clock, logger: log.logger(), metrics: registry)
        outages.use([SwitchedResource.server])
        let monitor = ReadinessMonitor(
            resources: [("store", store)], stop: stop, clock: time.clock, outages: outages)
        func awaySeconds() -> Double? {
            registry.exposition().split(separator: "\n")
                .first { $0.hasPrefix("penstock_open_outage_seconds{") }
                .flatMap { Double($0.split(separator: " ").last ?? "") }
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await monitor.run() }
            await pass(4, sleepers: 2)
            #expect(monitor.readiness == .ready && awaySeconds() == 0)
            store.standsStill.withLock { $0 = true }
            time.advance(by: .milliseconds(1_500))
            processTime.advance(by: .milliseconds(1_500))
            try? await store.isAsked.wait()
            await pass(5, beside: processTime)
            #expect(monitor.readiness == .notReady(reason: "store: does not answer"))
            #expect(log.events.map(\.message.description).map { $0.prefix(7) } == ["a store"])
            #expect((4...6).contains(awaySeconds() ?? 0))
            await pass(120, beside: processTime)
            #expect(log.events.count == 3)
            store.standsStill.withLock { $0 = false }
            store.goesOn.set()
            await until { monitor.readiness == .ready && awaySeconds() == 0 }
            #expect(log.events.map(\.message.description).last == "works again")
            let seconds = log.events.last?.metadata["outage_seconds"]?.description
            #expect((120...127).contains(seconds.flatMap { Double($0) } ?? 0))
            stop.set()
        }
    }

    @Test("is ready again once the store answers that a caller, who has gone, was refused for")
    func recollection() async throws {
        let (store, ledger, stop) = (SwitchedResource(), FakeLedger(), AsyncEvent())
        let away = PipelineError.retryable("store-unavailable", "no server")
        ledger.fail(.accept, away.of(SwitchedResource.server))
        let source = ScriptedSource { outlet in
            try await outlet.send(Chunk.forsaken([1]))
            do { try await AsyncEvent().wait() } catch is CancellationError {}
        }
        let barrier = Barrier(
            ledger: ledger, sla: .hours(24), lease: .minutes(1), poll: .hours(10_000)
        ) { _, _ in .wait(until: nil) }
        let graph = PipelineGraph(
            name: "reports", sources: [.init(id: "in", role: [source])], head: [],
            tail: .init(barrier: .init(id: "batch", role: barrier), generator: nil, sinks: []))
        let run = PipelineRun(
            graph, role: .api,
            environment: RunEnvironment(
                clock: time.clock, random: RandomSource(seed: 1), logger: log.logger(),
                worker: "host:1", grace: .zero))
        let monitor = ReadinessMonitor(
            resources: [("store", store)], runs: [run], stop: stop, clock: time.clock,
            outages: outages)
        store.isThere.withLock { $0 = false }
        await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await run.run() }
            await until { run.problem == "no server" }
            group.addTask { await monitor.run() }
            await pass(3, sleepers: 2)
            #expect(
                monitor.readiness == .notReady(reason: "store: is away; reports: no server"))
            #expect(source.obstacles.entries.map { $0?.message } == ["no server"])
            store.isThere.withLock { $0 = true }
            var seconds = 0
            while monitor.readiness != .ready {
                await pass(1, sleepers: 2)
                seconds += 1
            }
            #expect(seconds < 6)
            #expect(source.obstacles.entries.map { $0?.message } == ["no server", nil])
            stop.set()
            group.cancelAll()
        }
    }

    @Test("is not one that was suspended; one whose threads are all blocked is")
    func suspension() async throws {
        let sink = RecordingSink(isOpen: false)
        let (run, stop) = (pipeline(sink), AsyncEvent())
        let monitor = ReadinessMonitor(
            resources: [], runs: [run], stop: stop, clock: time.clock, logger: log.logger(),
            outages: outages)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await run.run() }
            try await sink.arrivals.reaches(1)
            group.addTask { await monitor.run() }
            try await time.sleepers()
            await pass(10)
            time.advance(by: .hours(1))
            await settleDown()
            await pass(1)
            #expect(monitor.liveness == .alive)
            stop.set()
            group.cancelAll()
        }
        let blocked = ReadinessMonitor(
            resources: [], runs: [], stop: AsyncEvent(), clock: time.clock, outages: outages)
        time.advance(by: .seconds(301))
        #expect(blocked.liveness == .stuck(reason: "nothing runs for 301 s"))
    }

    @Test("does not feed the watchdog of its service manager, and tells it why")
    func watchdog() async throws {
        let socket = try ManagerSocket()
        let manager = try #require(
            ServiceManager(["NOTIFY_SOCKET": socket.name, "WATCHDOG_USEC": "10000000"]))
        let liveness = SwitchedLiveness()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                await manager.tell(
                    { .ready }, { liveness.value.withLock { $0 } }, stop: AsyncEvent(),
                    clock: time.clock, status: { nil })
            }
            try await time.sleepers()
            await pass(12)
            #expect(socket.heard().filter { $0 == "WATCHDOG=1" }.count == 3)
            liveness.value.withLock { $0 = .stuck(reason: "reports: hangs") }
            await pass(60)
            #expect(socket.heard() == ["STATUS=stuck: reports: hangs"])
            liveness.value.withLock { $0 = .alive }
            await pass(2)
            #expect(socket.heard() == ["STATUS=running", "WATCHDOG=1"])
            group.cancelAll()
        }
    }
}

/// What a process says of itself.
private final class SwitchedLiveness: Sendable {
    let value = Mutex(Liveness.alive)
}

/// A resource that is there or not.
private final class SwitchedResource: Resource {
    static let server = Backend(.store, "PostgreSQL at db:5432")
    let isThere = Mutex(true)
    /// Whoever asks meanwhile waits until it goes on.
    let standsStill = Mutex(false)
    let isAsked = AsyncEvent()
    let goesOn = AsyncEvent()
    var backend: Backend? { Self.server }
    func probe() async throws {
        if standsStill.withLock({ $0 }) {
            isAsked.set()
            try await goesOn.wait()
        }
        guard isThere.withLock({ $0 }) else {
            throw PipelineError.retryable("store-unavailable", "is away")
        }
    }
    func inspect(
        for needs: [ResourceNeed], timeout: Duration
    ) async throws -> [ResourceFinding] { [] }
    func close() async {}
}

/// Where a service manager listens, under a name of its own that is no path.
private final class ManagerSocket: Sendable {
    let name = "@penstock-test-\(RandomSource().uuid())"
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var place = sockaddr_un()
        place.sun_family = sa_family_t(AF_UNIX)
        let bytes = [0] + Array(name.utf8.dropFirst())
        unsafe withUnsafeMutableBytes(of: &place.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let length = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + bytes.count
        let isBound = unsafe withUnsafePointer(to: &place) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(length)) == 0
            }
        }
        try #require(isBound)
    }

    deinit { close(descriptor) }

    /// The lines that have come since the last time.
    func heard() -> [String] {
        var lines: [String] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count <= 0 { return lines }
            lines += String(decoding: buffer[..<count], as: UTF8.self)
                .split(separator: "\n").map(String.init)
        }
    }
}
