import PipelineCore
import Testing

@testable import Webhook

@Suite("The circuit of a receiver")
struct ReceiverCircuitTests {
    private let error = PipelineError.retryable(.webhookUnavailable, "away")
    private let start = Instant(nanoseconds: 0)

    private func after(_ duration: Duration) -> Instant { start.advanced(by: duration) }

    private enum Told { case pass, wait, refuse }
    private func told(_ circuit: inout ReceiverCircuit, _ now: Instant) -> Told {
        switch circuit.admit(now: now) {
        case .pass: .pass
        case .wait: .wait
        case .refuse: .refuse
        }
    }

    private func opened() -> ReceiverCircuit {
        var circuit = ReceiverCircuit()
        circuit.failed(error, awayFor: .zero, now: start, jitter: 0)
        return circuit
    }

    @Test("opens at once for a receiver that is away, and for others after five failures in a row")
    func opens() {
        var circuit = ReceiverCircuit()
        for _ in 1..<ReceiverCircuit.mostFailures {
            circuit.failed(error, awayFor: nil, now: start, jitter: 0)
        }
        #expect(told(&circuit, start) == .pass)
        circuit.succeeded()
        for _ in 1..<ReceiverCircuit.mostFailures {
            circuit.failed(error, awayFor: nil, now: start, jitter: 0)
        }
        #expect(told(&circuit, start) == .pass)
        circuit.failed(error, awayFor: nil, now: start, jitter: 0)
        #expect(told(&circuit, start) == .refuse)
        var away = opened()
        #expect(told(&away, start) == .refuse)
        #expect(away.problem(at: start)?.message == "away")
    }

    @Test("lets one call try after the back-off, while others wait; an answer closes it")
    func tries() {
        var circuit = opened()
        #expect(told(&circuit, after(.milliseconds(499))) == .refuse)
        #expect(told(&circuit, after(.milliseconds(500))) == .pass)
        #expect(told(&circuit, after(.milliseconds(501))) == .wait)
        circuit.succeeded()
        #expect(circuit.isClosed)
        #expect(told(&circuit, after(.milliseconds(502))) == .pass)
    }

    @Test("waits for longer each time, up to five seconds")
    func backsOff() {
        var circuit = opened()
        var now = after(.milliseconds(500))
        for wait in [1, 2, 4, 5, 5] {
            #expect(told(&circuit, now) == .pass)
            circuit.failed(error, awayFor: nil, now: now, jitter: 0)
            let next = now.advanced(by: .seconds(wait))
            #expect(told(&circuit, next.advanced(by: .milliseconds(-1))) == .refuse)
            now = next
        }
    }

    @Test("waits as long as the receiver asks, whatever older calls have been answered meanwhile")
    func retryAfter() {
        var circuit = ReceiverCircuit()
        circuit.failed(error, awayFor: .seconds(60), now: start, jitter: 0.9)
        circuit.succeeded()
        circuit.failed(error, awayFor: .seconds(5), now: start, jitter: 0)
        #expect(told(&circuit, after(.seconds(59))) == .refuse)
        #expect(told(&circuit, after(.seconds(60))) == .pass)
    }

    @Test("lets another call try when the one that tried was given up")
    func abandoned() {
        var circuit = opened()
        #expect(told(&circuit, after(.seconds(1))) == .pass)
        circuit.abandoned(now: after(.seconds(2)))
        #expect(told(&circuit, after(.seconds(2))) == .pass)
    }

    @Test("forgets what it was opened for once nobody has called for a while")
    func forgets() {
        let circuit = opened()
        #expect(circuit.problem(at: after(ReceiverCircuit.memory)) == nil)
        #expect(!circuit.isClosed)
    }
}
