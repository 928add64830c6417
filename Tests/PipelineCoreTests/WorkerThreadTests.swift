import PipelineTesting
import Synchronization
import Testing

@testable import Concurrency
@testable import PipelineCore

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
        for number in 0..<1000 { try worker.enqueue { ran.note(number) } }
        try await worker.run {}
        #expect(ran.entries == Array(0..<1000))
    }

    @Test("does what was asked of it before it ends")
    func end() async throws {
        let ran = Journal<Int>()
        do {
            let worker = WorkerThread()
            for number in 0..<100 { try worker.enqueue { ran.note(number) } }
        }
        try await ran.reaches(100)
    }

    @Test("says that there is no thread to be had, runs nothing then, and has one later")
    func exhaustion() async throws {
        let threads = Mutex(0)
        let begun = Journal<Void>()
        let worker = WorkerThread(
            idleLimit: nil, whenIdle: {}, begin: { begun.note(()) }
        ) { body throws(ThreadError) in
            // The system's answer (EAGAIN), until there is one.
            if threads.withLock({ $0 }) == 0 { throw ThreadError(code: 11) }
            _ = try NativeThread(name: "worker", body)
        }
        let ran = Journal<Int>()
        let errors = [
            await #expect(throws: PipelineError.self) { try await worker.run { ran.note(1) } },
            await #expect(throws: PipelineError.self) {
                try await worker.runAbandonably { ran.note(2) }
            },
            #expect(throws: PipelineError.self) { try worker.enqueue { ran.note(3) } },
        ]
        for error in errors {
            #expect(error?.code == "no-thread" && error?.disposition == .retryable)
            #expect(error?.message.hasSuffix("raise the limit of processes (ulimit -u)") == true)
        }
        threads.withLock { $0 = 1 }
        for number in 4...5 { try await worker.run { ran.note(number) } }
        #expect(ran.entries == [4, 5])
        #expect(begun.count == 1)
    }

    @Test("is not interrupted by cancellation once it has begun")
    func cancellation() async throws {
        let worker = WorkerThread()
        let task = Task { try await worker.run { 1 } }
        task.cancel()
        #expect(try await task.value == 1)
    }
}
