import PipelineCore
import Testing

@testable import ReportService

@Suite("The rotation of endpoints")
struct EndpointRotationTests {
    private let start = Instant(nanoseconds: 0)

    @Test("gives each its turn")
    func roundRobin() {
        var rotation = EndpointRotation(count: 3)
        let orders = (0..<4).map { _ in rotation.order(at: start) }
        #expect(orders == [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]])
    }

    @Test("puts one that failed behind the others until it has rested")
    func rest() {
        var rotation = EndpointRotation(count: 3)
        rotation.failed(1, at: start)
        #expect(rotation.order(at: start) == [0, 2, 1])
        #expect(rotation.order(at: start) == [2, 0, 1])
        let later = start.advanced(by: EndpointRotation.rest)
        #expect(rotation.order(at: later) == [0, 1, 2])
    }

    @Test("takes one that has answered for well")
    func answered() {
        var rotation = EndpointRotation(count: 2)
        rotation.failed(0, at: start)
        rotation.answered(0)
        #expect(rotation.order(at: start) == [0, 1])
    }

    @Test("still names everybody when all have failed")
    func allFailed() {
        var rotation = EndpointRotation(count: 2)
        rotation.failed(0, at: start)
        rotation.failed(1, at: start)
        #expect(rotation.order(at: start) == [0, 1])
        #expect(rotation.order(at: start) == [1, 0])
    }
}
