import Concurrency
import PipelineCore
import PipelineSimulation
import Testing

@testable import PipelineRuntime

@Suite("A channel in every order of events")
struct ChannelScenarioTests {
    @Test("hands over every element once, whatever times out")
    func racesWithTimeouts() async throws {
        let failure = try await Seeds.firstFailure(300) { seed in
            runScenario(seed: seed, limit: .seconds(4)) { process in
                try await ChannelTraffic(process: process).run()
            }.failure
        }
        #expect(failure == nil)
    }

    @Test("a finished channel hands over what it holds, and turns away who waits to send")
    func finishing() async throws {
        let failure = try await Seeds.firstFailure(300) { seed in
            runScenario(seed: seed) { process in
                let channel = Channel<Int>(capacity: 2)
                let sent = Shared<[Int]>([])
                let received = Shared<[Int]>([])
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for sender in 0..<4 {
                        group.addTask {
                            do {
                                try await channel.send(sender)
                                sent.append(sender)
                            } catch is ChannelClosed {}
                        }
                    }
                    group.addTask {
                        while let element = try await channel.receive() {
                            received.append(element)
                        }
                    }
                    group.addTask { channel.finish() }
                    try await group.waitForAllOrFirstFailure()
                }
                try expect(
                    sent.current.sorted() == received.current.sorted(),
                    "sent is not received")
            }.failure
        }
        #expect(failure == nil)
    }
}

/// Three senders, one of them impatient; two receivers, one of them impatient.
///
/// Time-outs heal a lost wake-up, so some take part that have none.
private struct ChannelTraffic: Sendable {
    static let senders = 3
    static let each = 12
    let process: SimulatedProcess
    let channel = Channel<Int>(capacity: 1)
    let received = Shared<[Int]>([])
    /// The seed picks the regime too: who is faster.
    let sendPace: Int
    let receivePace: Int

    init(process: SimulatedProcess) {
        self.process = process
        sendPace = 1 + process.simulator.below(12)
        receivePace = 1 + process.simulator.below(12)
    }

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for sender in 0..<Self.senders { group.addTask { try await send(sender) } }
            for receiver in 0..<2 { group.addTask { try await receive(patient: receiver == 0) } }
            try await group.waitForAllOrFirstFailure()
        }
        let expected = (0..<Self.senders).flatMap { sender in
            (0..<Self.each).map { sender * 100 + $0 }
        }
        try expect(received.current.sorted() == expected, "lost or duplicated: \(received.current)")
    }

    private func pause(_ milliseconds: Int) async throws {
        let pause = Duration.microseconds(process.simulator.below(milliseconds * 1000))
        try await process.clock.sleep(for: pause)
    }

    private func send(_ sender: Int) async throws {
        for number in 0..<Self.each {
            let element = sender * 100 + number
            try await pause(sendPace)
            if sender > 0 {
                try await channel.send(element)
                continue
            }
            var isSent = false
            while !isSent {
                isSent = try await impatiently { try await channel.send(element) } != nil
            }
        }
    }

    private func receive(patient: Bool) async throws {
        while received.current.count < Self.senders * Self.each {
            try await pause(receivePace)
            if patient {
                guard let element = try await channel.receive() else { break }
                received.append(element)
            } else if let result = try await impatiently({ try await channel.receive() }) {
                guard let element = result else { break }
                received.append(element)
            }
        }
        channel.finish()
    }

    /// `nil`: timed out. An operation that finished although cancelled counts as finished: nothing
    /// is lost.
    private func impatiently<T: Sendable>(
        _ body: @escaping @Sendable () async throws -> T
    ) async throws -> T? {
        let limit = Duration.microseconds(1000 + process.simulator.below(8000))
        return try await withThrowingTaskGroup(of: T?.self) { group in
            group.addTask {
                do { return try await body() } catch is CancellationError { return nil }
            }
            group.addTask { [clock = process.clock] in
                do { try await clock.sleep(for: limit) } catch is CancellationError {}
                return nil
            }
            var result = try await group.next() ?? nil
            group.cancelAll()
            while let other = try await group.next() { result = result ?? other }
            return result
        }
    }
}
