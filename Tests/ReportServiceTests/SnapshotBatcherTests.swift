import PipelineCore
import PipelineTesting
import Testing

@testable import ReportService

@Suite("Reads that are collected", .timeLimit(.minutes(5)))
struct SnapshotBatcherTests {
    private let time = ManualClock()
    private let cases = FakeCases()

    private func batcher() -> SnapshotBatcher {
        SnapshotBatcher(cases: cases, window: .milliseconds(4), clock: time.clock)
    }

    @Test("are one statement a window, whoever asks for whatever")
    func windows() async throws {
        let batcher = batcher()
        cases.put(1, .pending)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await batcher.run() }
            for round in 1...3 {
                try await withThrowingTaskGroup(of: Bool.self) { readers in
                    for reader in 0..<300 {
                        readers.addTask {
                            try await batcher.snapshot(of: .testing(reader % 3))?.state == .pending
                        }
                    }
                    try await time.sleepers()
                    for _ in 0..<3000 { await Task.yield() }
                    #expect(cases.statements.count < round * 2)
                    var found = 0
                    while !readers.isEmpty {
                        time.advance(by: .milliseconds(4))
                        while let isPending = try await readers.next() {
                            if isPending { found += 1 }
                        }
                    }
                    #expect(found == 100)
                }
            }
            group.cancelAll()
        }
        // Three distinct ids are asked for once, not three hundred times.
        #expect(cases.statements.entries.allSatisfy { $0 <= 3 })
    }

    @Test("fail together when the statement fails, and go on with the next")
    func failure() async throws {
        let batcher = batcher()
        cases.failures.add(.retryable("store-unavailable", "away"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await batcher.run() }
            let first = Task { try await batcher.snapshot(of: .testing(1)) }
            try await time.sleepers()
            time.advance(by: .milliseconds(4))
            await #expect(throws: PipelineError.self) { _ = try await first.value }
            let second = Task { try await batcher.snapshot(of: .testing(1)) }
            try await time.sleepers()
            time.advance(by: .milliseconds(4))
            #expect(try await second.value == nil)
            group.cancelAll()
        }
    }

    @Test("are turned away once the service shuts down, those that wait too")
    func shutdown() async throws {
        let batcher = batcher()
        let running = Task { try await batcher.run() }
        let waiting = Task { try await batcher.snapshot(of: .testing(1)) }
        try await time.sleepers()
        running.cancel()
        for read in [waiting, Task { try await batcher.snapshot(of: .testing(2)) }] {
            let error = await #expect(throws: PipelineError.self) { _ = try await read.value }
            #expect(error?.code == "shutting-down")
        }
    }
}
