import PipelineTesting
import PipelineCore
import Testing

@testable import Kafka

@Suite("Looking at Kafka", .timeLimit(.minutes(2)))
struct KafkaInspectionTests {
    private func findings(
        _ needs: TopicNeed..., properties: [String: String] = [:]
    ) async throws -> [ResourceFinding] {
        let bus = try KafkaServer.bus(properties)
        return try await bus.inspect(for: needs.map(ResourceNeed.topic), timeout: .seconds(20))
    }

    @Test("names the cluster, and the partitions of a topic that is there")
    func present() async throws {
        let topic = KafkaServer.uniqueTopic("inspected")
        try await KafkaServer.bus().ensureTopic(topic, partitions: 3)
        let found = try await findings(TopicNeed(topic, .reads, creation: .never))
        #expect(found[0].verdict == .ok)
        #expect(found[0].detail.hasPrefix("1 broker, cluster "))
        #expect(found[1] == ResourceFinding("topic \(topic)", .ok, "3 partitions"))
    }

    @Test("says how a missing topic will be created, and does not create it")
    func missing() async throws {
        let topic = KafkaServer.uniqueTopic("missing")
        let (other, third) = ("\(topic)-2", "\(topic)-3")
        for _ in 0..<2 {
            let found = try await findings(
                TopicNeed(topic, .reads, creation: .atStart(partitions: 3)),
                TopicNeed(other, .writes, creation: .atFirstMessage(partitions: nil)),
                TopicNeed(third, .reads, creation: .never))
            #expect(
                found.dropFirst().map(\.detail) == [
                    "not there: `run` creates it with 3 partitions",
                    "not there: created at the first message with the broker's default partitions",
                    // As the broker for tests is set up, and says when it is asked.
                    "not there: the broker creates it when somebody writes to it",
                ])
            #expect(found.allSatisfy { $0.verdict == .ok })
        }
    }

    @Test(
        "refuses a topic that nobody will create, or of which that is not known",
        arguments: [false, nil])
    func neverCreated(_ createsTopics: Bool?) {
        let need = TopicNeed("t", .reads, creation: .never)
        let finding = ClusterView(brokers: [1], topics: [:], id: nil)
            .finding(on: need, createsTopics: createsTopics)
        #expect(finding.verdict == .wrong)
        #expect(finding.hint?.contains("\"create\"") == true)
    }

    @Test("tells of a topic without a leader")
    func leaderless() {
        let view = ClusterView(
            brokers: [1], topics: ["t": .init(partitions: 1, isReady: false)], id: nil)
        let need = TopicNeed("t", .reads, creation: .never)
        #expect(view.finding(on: need, createsTopics: true).verdict == .wrong)
    }

    @Test("gives up soon where nobody listens, saying why and never the password")
    func nobody() async throws {
        let address = ResourceAddress(
            url: "kafka://penstock:s3cret@127.0.0.1:1",
            properties: ["security.protocol": "sasl_plaintext"])!
        let error = try await #require(throws: PipelineError.self) {
            try await KafkaBus(address).inspect(for: [], timeout: .seconds(30))
        }
        #expect(error.code == "bus-unavailable")
        #expect(error.disposition == .retryable)
        #expect(error.message.contains("Connection refused"))
        #expect(!error.message.contains("s3cret"))
    }

    @Test("gives up a broker that accepts connections and says nothing, in the time it is given")
    func silent() async throws {
        let server = try FailingServer()
        let address = ResourceAddress(url: "kafka://127.0.0.1:\(server.port)")!
        let error = try await #require(throws: PipelineError.self) {
            try await KafkaBus(address).inspect(for: [], timeout: .milliseconds(600))
        }
        #expect(error.code == "bus-unavailable")
    }
}
