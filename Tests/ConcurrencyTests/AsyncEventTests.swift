import Concurrency
import PipelineCore
import PipelineTesting
import Testing

@Suite("An event", .timeLimit(.minutes(5)))
struct AsyncEventTests {
    private let event = AsyncEvent()

    @Test("lets everybody through once it is open, and stays open")
    func opens() async throws {
        let passed = Journal<Void>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<5 {
                group.addTask { [event] in
                    try await event.wait()
                    passed.note(())
                }
            }
            #expect(!event.isSet)
            #expect(passed.count == 0)
            event.set()
            try await group.waitForAll()
        }
        #expect(event.isSet)
        event.set()
        try await event.wait()
    }

    @Test("lets a waiter be cancelled, even one that comes when it is open")
    func cancellation() async {
        let waiting = Task { [event] in try await event.wait() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        event.set()
        let late = Task { [event] in
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            try await event.wait()
        }
        await #expect(throws: CancellationError.self) { try await late.value }
    }

    @Test("keeps a waiter that ignores its cancellation until it is set")
    func ignoredCancellation() async throws {
        let passed = Journal<Void>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Runs up to where it waits before the test goes on.
            group.addImmediateTask { [event] in
                unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
                await event.waitIgnoringCancellation()
                passed.note(())
            }
            #expect(passed.count == 0)
            event.set()
            try await group.waitForAll()
        }
        #expect(passed.count == 1)
        await event.waitIgnoringCancellation()
    }
}
