import Concurrency
import PipelineCore
import Testing

@testable import PipelineRuntime

/// Between two `await`s nothing interleaves in a simulation: what goes wrong between two locks
/// needs real threads.
@Suite("Hand-offs between real threads", .timeLimit(.minutes(2)))
struct ThreadStressTests {
    @Test("a channel loses and repeats nothing, while operations on it are cancelled")
    func channel() async throws {
        let senders = 4
        let each = 2000
        let channel = Channel<Int>(capacity: 2)
        let received = Shared<[Int]>([])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await withThrowingTaskGroup(of: Void.self) { sending in
                    for sender in 0..<senders {
                        sending.addTask {
                            for number in 0..<each {
                                let element = sender * each + number
                                while try await cancelledSoon({ try await channel.send(element) })
                                    == nil
                                {}
                            }
                        }
                    }
                    try await sending.waitForAllOrFirstFailure()
                }
                channel.finish()
            }
            for receiver in 0..<3 {
                group.addTask {
                    while true {
                        let result =
                            receiver == 0
                            ? try await channel.receive()
                            : try await cancelledSoon { try await channel.receive() } ?? -1
                        guard let element = result else { return }
                        if element >= 0 { received.append(element) }
                    }
                }
            }
            try await group.waitForAllOrFirstFailure()
        }
        #expect(received.current.sorted() == Array(0..<senders * each))
    }

    @Test("a channel wakes a patient sender and a patient receiver")
    func patience() async throws {
        let count = 100_000
        let channel = Channel<Int>(capacity: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for element in 0..<count { try await channel.send(element) }
                channel.finish()
            }
            group.addTask {
                var expected = 0
                while let element = try await channel.receive() {
                    try expect(element == expected, "\(element) instead of \(expected)")
                    expected += 1
                }
                try expect(expected == count, "\(count - expected) elements are missing")
            }
            try await group.waitForAllOrFirstFailure()
        }
    }

    @Test("a signal wakes its waiter for everything that was announced")
    func signal() async throws {
        let announced = 20_000
        let signal = Signal()
        let waiting = Shared(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<announced / 4 {
                        waiting.withLock { $0 += 1 }
                        signal.send()
                        await Task.yield()
                    }
                }
            }
            group.addTask {
                var taken = 0
                while taken < announced {
                    let some = waiting.take()
                    taken += some
                    if some == 0 { try await signal.wait() }
                }
            }
            try await group.waitForAllOrFirstFailure()
        }
    }

    @Test("a event that opens while others begin to wait or are cancelled leaves nobody behind")
    func event() async throws {
        for _ in 0..<500 {
            let event = AsyncEvent()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for waiter in 0..<6 {
                    group.addTask {
                        if waiter.isMultiple(of: 2) { return try await event.wait() }
                        _ = try await cancelledSoon { try await event.wait() }
                    }
                }
                group.addTask { event.set() }
                try await group.waitForAllOrFirstFailure()
            }
        }
    }
}

/// Runs `body` and cancels it a moment later; `nil` if that came first.
private func cancelledSoon<T: Sendable>(
    _ body: @escaping @Sendable () async throws -> T
) async throws -> T? {
    try await withThrowingTaskGroup(of: T?.self) { group in
        group.addTask { do { return try await body() } catch is CancellationError { return nil } }
        await Task.yield()
        group.cancelAll()
        return try await group.next() ?? nil
    }
}
