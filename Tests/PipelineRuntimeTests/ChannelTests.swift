import PipelineTesting
import Testing

@testable import PipelineRuntime

@Suite("A channel", .timeLimit(.minutes(5)))
struct ChannelTests {
    private let channel = Channel<Int>(capacity: 2)

    @Test("hands over in order, then ends")
    func order() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [channel] in
                for number in 0..<1000 { try await channel.send(number) }
                channel.finish()
            }
            var received: [Int] = []
            while let number = try await channel.receive() { received.append(number) }
            #expect(received == Array(0..<1000))
            try await group.waitForAll()
        }
        #expect(try await channel.receive() == nil)
    }

    @Test("lets no sender run ahead of its capacity")
    func bounded() async throws {
        let sent = Journal<Int>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [channel] in
                for number in 0..<50 {
                    try await channel.send(number)
                    sent.note(number)
                }
            }
            for received in 0..<50 {
                try await sent.reaches(min(received + 2, 50))
                await settleDown()
                #expect(sent.count == min(received + 2, 50))
                #expect(try await channel.receive() == received)
            }
            try await group.waitForAll()
        }
    }

    @Test("serves many senders and receivers, each element once")
    func many() async throws {
        let received = Journal<Int>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for sender in 0..<8 {
                group.addTask { [channel] in
                    for number in 0..<100 { try await channel.send(sender * 100 + number) }
                }
            }
            for _ in 0..<4 {
                group.addTask { [channel] in
                    while let number = try await channel.receive() { received.note(number) }
                }
            }
            try await received.reaches(800)
            channel.finish()
            try await group.waitForAll()
        }
        #expect(received.entries.sorted() == Array(0..<800))
    }

    @Test("has not sent what a cancelled sender waited with")
    func cancelledSender() async throws {
        for number in 0..<2 { try await channel.send(number) }
        let waiting = Task { [channel] in try await channel.send(2) }
        await settleDown()
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        channel.finish()
        var received: [Int] = []
        while let number = try await channel.receive() { received.append(number) }
        #expect(received == [0, 1])
    }

    @Test("gives nothing to a receiver that was cancelled")
    func cancelledReceiver() async throws {
        let waiting = Task { [channel] in try await channel.receive() }
        await settleDown()
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        try await channel.send(7)
        #expect(try await channel.receive() == 7)
    }

    @Test("that is closed takes nothing more, and fails those who wait to send")
    func closed() async throws {
        for number in 0..<2 { try await channel.send(number) }
        let waiting = Task { [channel] in try await channel.send(2) }
        await settleDown()
        channel.finish()
        await #expect(throws: ChannelClosed.self) { try await waiting.value }
        await #expect(throws: ChannelClosed.self) { try await channel.send(3) }
        #expect(try await channel.receive() == 0)
        #expect(try await channel.receive() == 1)
        #expect(try await channel.receive() == nil)
    }

    @Test("lets those who wait to receive know that it has ended")
    func closedReceiver() async throws {
        let waiting = Task { [channel] in try await channel.receive() }
        await settleDown()
        channel.finish()
        #expect(try await waiting.value == nil)
    }
}
