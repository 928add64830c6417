import CommandLineInterface
import Concurrency
import GRPCTransport
import Logging
import PipelineCore
import PipelineTesting
import StandardCatalogue
import Synchronization
import Testing

@testable import PenstockCommand

@Suite("penstock top", .timeLimit(.minutes(2)))
struct TopTests {
    private let time = ManualClock()
    private let printed = Journal<String>()
    private let away = CommandFailure(.unavailable, "unix:a: UNAVAILABLE: nobody listens")

    private func view(_ count: Int?, _ format: LiveView.Format, isTerminal: Bool = false)
        -> LiveView
    {
        LiveView(
            interval: .seconds(2), count: count, format: format,
            console: Console(
                out: { [printed] in printed.note($0) }, err: { _ in }, isOutTerminal: isTerminal),
            clock: time.clock)
    }

    private static let stage = StageView(
        pipeline: "reports", stage: "batch",
        overview: LedgerOverview(
            clock: .epoch, open: OpenBatch(count: 0, oldest: nil, earliestDeadline: nil),
            revision: 1),
        next: nil, fullBatch: nil, isManual: false, batches: [], parked: [:], pauses: [:])

    /// Looks that end so, one after the other; `nil`: with what there is.
    private func show(_ view: LiveView, _ ends: [CommandFailure?]) async throws {
        let (left, before) = (Looks(ends), printed.count)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await view.show {
                    try left.next()
                    return Self.stage
                }
                return true
            }
            group.addTask { [time, printed] in
                // After each look but the last it rests, and nothing else sleeps then.
                for look in 1..<max(ends.count, 2) {
                    try await printed.reaches(before + look)
                    try await time.sleepers(atLeast: 1)
                    time.advance(by: .seconds(2))
                }
                return false
            }
            defer { group.cancelAll() }
            while try await group.next() == false {}
        }
        #expect(left.isOver)
    }

    @Test("goes on while nobody answers, says since when and why, and shows what is there then")
    func goesOn() async throws {
        try await show(view(4, .text), [nil, away, away, nil])
        let looks = printed.entries
        #expect(looks.count == 4 && looks[0].hasPrefix("reports, stage batch"))
        #expect(looks[1] == "\nno answer since 2 s: unix:a: UNAVAILABLE: nobody listens\n")
        #expect(looks[2].contains("no answer since 4 s: ") && looks[3] == "\n" + looks[0])
    }

    @Test("keeps the last look on a terminal, below the line that says so")
    func terminal() async throws {
        try await show(view(3, .text, isTerminal: true), [nil, away, nil])
        let looks = printed.entries
        #expect(looks.count == 3)
        #expect(
            looks[1].contains("no answer since 2 s: unix:a") && looks[1].contains("stage batch"))
        #expect(!looks[2].contains("no answer"))
    }

    @Test("says while it waits for an answer that there is none yet")
    func silence() async throws {
        let (asked, goesOn) = (AsyncEvent(), AsyncEvent())
        try await withThrowingTaskGroup(of: Void.self) { group in
            let view = view(1, .text, isTerminal: true)
            group.addTask {
                try await view.show {
                    asked.set()
                    try await goesOn.wait()
                    return Self.stage
                }
            }
            try await asked.wait()
            for step in [3, 1] {
                try await time.sleepers(atLeast: 1)
                time.advance(by: .seconds(step))
                try await printed.reaches(step == 3 ? 1 : 2)
            }
            goesOn.set()
            try await group.waitForAll()
        }
        let looks = printed.entries
        #expect(looks[0].contains("no answer since 3 s: it takes its time"))
        #expect(looks[1].contains("no answer since 4 s: "))
        #expect(looks.last?.contains("stage batch") == true)
    }

    @Test("waits for a server that is away at the beginning, and ends where it is refused")
    func beginning() async throws {
        try await show(view(2, .text), [away, nil])
        #expect(printed.entries[0].hasPrefix("no answer since 0 s: "))
        let refused = CommandFailure(.failure, "unix:a: NOT_FOUND: there is no pipeline")
        for (view, ends) in [
            (view(2, .text), [refused]), (view(1, .text), [away]), (view(nil, .json), [away]),
            (view(2, .text), [nil, away]),
        ] {
            await #expect(throws: ends.last!!) { try await show(view, ends) }
        }
        // One that has shown something before is on its way back.
        try await show(view(3, .text), [nil, refused, nil])
    }
}

/// How looks end, one after the other.
private final class Looks: Sendable {
    private let left: Mutex<[CommandFailure?]>
    init(_ ends: [CommandFailure?]) { left = Mutex(ends) }
    var isOver: Bool { left.withLock { $0.isEmpty } }
    func next() throws {
        if let failure = left.withLock({ $0.removeFirst() }) { throw failure }
    }
}

@Suite("penstock reload", .timeLimit(.minutes(2)))
struct ReloadCommandTests {
    @Test("says where to look when no answer comes in time, since the reload goes on")
    func late() async throws {
        let (address, terminal) = ("unix:/tmp/penstock-\(RandomSource().uuid())", Terminal())
        let end = AsyncEvent()
        let service = try AdminService(
            address, catalogue: .standard, logger: LogCapture().logger(), definitions: { [] },
            reload: { () throws(GRPCStatusError) in
                try? await end.wait()
                return Reloaded(pipelines: [], problem: nil)
            })
        try service.start()
        let code = await terminal.penstock("reload", address, "--timeout", "1s")
        #expect(code == .unavailable)
        #expect(
            terminal.err.contains(
                "no answer within 1 s; a reload that has begun goes on in the process"))
        #expect(terminal.err.contains("penstock_reloads_total"))
        end.set()
        await service.shutdown()
    }
}
