internal import Kafka
internal import PipelineCore
internal import PipelineTesting
internal import Testing

struct KafkaConformanceTests {
    @Test(
        "Kafka keeps the contract of a bus:", .timeLimit(.minutes(3)),
        arguments: BusConformance.checks)
    func conformance(_ check: BusConformance.Check) async throws {
        try await check.run(BusConformance { try KafkaServer.bus() })
    }
}
