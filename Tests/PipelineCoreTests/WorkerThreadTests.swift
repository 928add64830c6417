import PipelineCore
import PipelineTesting
import Testing

@Suite("A worker thread", .timeLimit(.minutes(5)))
struct WorkerThreadTests {
    struct Mishap: Error {}

    @Test("answers with what the body returns or throws")
    func results() async throws {
        let worker = WorkerThread()
        #expect(try await worker.run { 6 * 7 } == 42)
        await #expect(throws: Mishap.self) { try await worker.run { throw Mishap() } }
        #expect(try await worker.run { "still there" } == "still there")
    }

    @Test("runs one body after the other, in the order they were asked for")
    func order() async throws {
        let worker = WorkerThread()
        let ran = Journal<Int>()
        for number in 0..<1000 { worker.enqueue { ran.note(number) } }
        try await worker.run {}
        #expect(ran.entries == Array(0..<1000))
    }

    @Test("does what was asked of it before it ends")
    func end() async throws {
        let ran = Journal<Int>()
        do {
            let worker = WorkerThread()
            for number in 0..<100 { worker.enqueue { ran.note(number) } }
        }
        try await ran.reaches(100)
    }

    @Test("is not interrupted by cancellation once it has begun")
    func cancellation() async throws {
        let worker = WorkerThread()
        let task = Task { try await worker.run { 1 } }
        task.cancel()
        #expect(try await task.value == 1)
    }
}
