import PipelineCore
import PipelineTesting
import Testing

@Suite("A latch", .timeLimit(.minutes(5)))
struct LatchTests {
    private let latch = Latch()

    @Test("lets everybody through once it is open, and stays open")
    func opens() async throws {
        let passed = Journal<Void>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<5 {
                group.addTask { [latch] in
                    try await latch.wait()
                    passed.note(())
                }
            }
            #expect(!latch.isOpen)
            #expect(passed.count == 0)
            latch.open()
            try await group.waitForAll()
        }
        #expect(latch.isOpen)
        latch.open()
        try await latch.wait()
    }

    @Test("lets a waiter be cancelled, even one that comes when it is open")
    func cancellation() async {
        let waiting = Task { [latch] in try await latch.wait() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        latch.open()
        let late = Task { [latch] in
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            try await latch.wait()
        }
        await #expect(throws: CancellationError.self) { try await late.value }
    }
}
