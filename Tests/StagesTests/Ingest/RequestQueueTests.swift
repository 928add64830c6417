import Concurrency
import PipelineCore
import PipelineTesting
import Testing

@testable import Stages

/// Refuses payloads that begin with a 9.
private struct FakeDecoder: RecordDecoder {
    func decode(_ records: inout [Record], stage: String, now: Timestamp) -> [Rejection] {
        let refused = records.filter { $0.payload.first == 9 }
        records.removeAll { $0.payload.first == 9 }
        return refused.map { Rejection($0, stage: stage, code: "malformed", reason: "a nine") }
    }
}

@Suite("The queue for callers' requests", .timeLimit(.minutes(5)))
struct RequestQueueTests {
    private let time = ManualClock()

    private func queue(maxChunk: Int = 512) -> RequestQueue {
        RequestQueue(
            maxChunk: maxChunk,
            intake: Intake(decoder: FakeDecoder(), context: .testing(clock: time.clock)))
    }

    /// Runs a queue whose chunks go to `take`.
    private func running(
        _ queue: RequestQueue, _ take: @escaping @Sendable (Chunk) async throws -> Void,
        _ body: () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await queue.run(into: Outlet(take)) }
            try await body()
            group.cancelAll()
        }
    }

    @Test("answers a caller when the chunk has settled, not before")
    func accepted() async throws {
        let queue = queue()
        let chunks = Journal<Chunk>()
        let answered = AsyncEvent()
        try await running(queue, { chunks.note($0) }) {
            let caller = Task {
                defer { answered.set() }
                return try await queue.submit(.testing(1))
            }
            let chunk = try await chunks.reaches(1)[0]
            for _ in 0..<500 { await Task.yield() }
            #expect(!answered.isSet)
            chunk.acknowledgement.settle(.acknowledged)
            guard case .accepted = try await caller.value else {
                Issue.record("not accepted")
                return
            }
        }
    }

    @Test("tells a caller why its request was refused, and goes on with the others")
    func rejected() async throws {
        let queue = queue()
        try await running(queue, { $0.acknowledgement.settle(.acknowledged) }) {
            async let good = queue.submit(.testing(1))
            guard case .rejected(let rejection) = try await queue.submit(.testing(9)) else {
                Issue.record("accepted")
                return
            }
            #expect(rejection.code == "malformed")
            guard case .accepted = try await good else {
                Issue.record("not accepted")
                return
            }
        }
    }

    @Test("tells a caller when nothing is promised")
    func failed() async throws {
        let queue = queue()
        try await running(
            queue, { $0.acknowledgement.settle(.failed(.retryable("store-unavailable", "away"))) }
        ) {
            let error = await #expect(throws: PipelineError.self) {
                _ = try await queue.submit(.testing(1))
            }
            #expect(error?.code == "acceptance-unknown")
            #expect(error?.message.hasPrefix("away; ") == true)
        }
    }

    @Test("makes one chunk of whoever calls meanwhile, up to a bound")
    func chunks() async throws {
        let queue = queue(maxChunk: 10)
        let sizes = Journal<Int>()
        let mayGoOn = AsyncEvent()
        try await running(
            queue,
            { chunk in
                sizes.note(chunk.records.count)
                #expect(chunk.records.map(\.ordinal) == Array(chunk.records.indices))
                try await mayGoOn.wait()
                chunk.acknowledgement.settle(.acknowledged)
            }
        ) {
            try await withThrowingTaskGroup(of: Void.self) { callers in
                callers.addTask { _ = try await queue.submit(.testing(1)) }
                try await sizes.reaches(1)
                let called = Journal<Void>()
                for _ in 0..<25 {
                    callers.addTask {
                        called.note(())
                        _ = try await queue.submit(.testing(2))
                    }
                }
                try await called.reaches(25)
                for _ in 0..<2000 { await Task.yield() }
                mayGoOn.set()
                try await callers.waitForAll()
            }
        }
        #expect(sizes.entries.reduce(0, +) == 26)
        #expect(sizes.entries.allSatisfy { $0 <= 10 })
        #expect(sizes.count <= 6)
    }

    @Test(
        "turns callers away while an operator has paused the intake, who says so, and takes nothing"
    )
    func paused() async throws {
        let queue = queue()
        let chunks = Journal<Chunk>()
        let pause = "an operator has paused stage requests: moved (ann@a), since 2026-11-27"
        // Nobody takes what had come before.
        let early = Task { try await queue.submit(.testing(1)) }
        let watch = Task { try await queue.run() }
        try await time.sleepers()
        queue.blocked(by: .retryable("intake-paused", pause))
        try await running(queue, { chunks.note($0) }) {
            let told = await #expect(throws: PipelineError.self) {
                try await queue.submit(.testing(2))
            }
            time.advance(by: RequestQueue.patience)
            let late = await #expect(throws: PipelineError.self) { try await early.value }
            for error in [told, late] {
                #expect(error?.code == "not-accepted" && error?.disposition == .retryable)
                #expect(error?.message == pause + "; nothing was accepted: try again")
            }
            queue.blocked(by: nil)
            let other = Task { try await queue.submit(.testing(3)) }
            let chunk = try await chunks.reaches(1)[0]
            #expect(chunk.records.count == 1)
            chunk.acknowledgement.settle(.acknowledged)
            _ = try await other.value
        }
        watch.cancel()
    }

    @Test(
        "tells a caller within its patience that nothing was accepted, and why, and takes its request no more"
    )
    func impatience() async throws {
        let queue = queue()
        let caller = Task { try await queue.submit(.testing(1)) }
        let watch = Task { try await queue.run() }
        queue.blocked(by: .retryable("store-unavailable", "PostgreSQL is away"))
        try await time.sleepers()
        time.advance(by: RequestQueue.patience)
        let error = await #expect(throws: PipelineError.self) { try await caller.value }
        #expect(error?.code == "not-accepted")
        #expect(error?.message == "PostgreSQL is away; nothing was accepted: try again")
        let chunks = Journal<Chunk>()
        try await running(queue, { chunks.note($0) }) {
            let other = Task { try await queue.submit(.testing(2)) }
            let chunk = try await chunks.reaches(1)[0]
            #expect(chunk.records.count == 1)
            chunk.acknowledgement.settle(.acknowledged)
            _ = try await other.value
        }
        watch.cancel()
    }

    @Test(
        "tells a caller whose request is on its way that its acceptance is not known; nobody waits for it then"
    )
    func unknownAcceptance() async throws {
        let queue = queue()
        let chunks = Journal<Chunk>()
        let watch = Task { try await queue.run() }
        try await running(queue, { chunks.note($0) }) {
            let caller = Task { try await queue.submit(.testing(1)) }
            let chunk = try await chunks.reaches(1)[0]
            #expect(chunk.acknowledgement.isAwaited)
            try await time.sleepers()
            time.advance(by: RequestQueue.patience)
            let error = await #expect(throws: PipelineError.self) { try await caller.value }
            #expect(error?.code == "acceptance-unknown")
            #expect(error?.message.hasSuffix("repeat it with the same case_id") == true)
            #expect(!chunk.acknowledgement.isAwaited)
            // It may be accepted all the same.
            chunk.acknowledgement.settle(.acknowledged)
        }
        watch.cancel()
    }

    @Test("lets a caller go that is cancelled")
    func cancelled() async throws {
        let queue = queue()
        let caller = Task { try await queue.submit(.testing(1)) }
        for _ in 0..<500 { await Task.yield() }
        caller.cancel()
        await #expect(throws: CancellationError.self) { try await caller.value }
    }

    @Test("turns callers away once it is shut, those who wait too")
    func shut() async throws {
        let queue = queue()
        let waiting = Task { try await queue.submit(.testing(1)) }
        for _ in 0..<500 { await Task.yield() }
        await queue.close()
        let error = await #expect(throws: PipelineError.self) { _ = try await waiting.value }
        #expect(error?.code == "shutting-down")
        await #expect(throws: PipelineError.self) { _ = try await queue.submit(.testing(2)) }
    }

    @Test("turns callers away at once when too many wait")
    func overload() async throws {
        let queue = queue()
        let errors = Journal<String>()
        await withTaskGroup(of: Void.self) { callers in
            for number in 0...RequestQueue.maxWaiting {
                callers.addTask {
                    do { _ = try await queue.submit(.testing(number)) } catch {
                        errors.note((error as? PipelineError)?.code.name ?? "\(error)")
                    }
                }
            }
            _ = try? await errors.reaches(1)
            #expect(errors.entries == ["overloaded"])
            await queue.close()
        }
        #expect(errors.count == RequestQueue.maxWaiting + 1)
    }
}
