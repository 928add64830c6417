internal import CRdKafka
internal import PipelineCore

/// What a broker says of its cluster.
struct ClusterView: Sendable {
    struct Topic: Sendable {
        var partitions: Int
        var isReady: Bool
    }
    /// By their ids.
    var brokers: [Int32]
    var topics: [String: Topic]
    var id: String?

    init(brokers: [Int32], topics: [String: Topic], id: String?) {
        self.brokers = brokers
        self.topics = topics
        self.id = id
    }

    /// Copies the broker's answer.
    init(_ metadata: UnsafePointer<rd_kafka_metadata>, id: String?) {
        self.id = id
        brokers = (0..<Int(unsafe metadata.pointee.broker_cnt)).map {
            unsafe metadata.pointee.brokers[$0].id
        }
        topics = [:]
        for index in 0..<Int(unsafe metadata.pointee.topic_cnt) {
            let topic = unsafe metadata.pointee.topics[index]
            let partitions = Int(unsafe topic.partition_cnt)
            let isLed = (0..<partitions).allSatisfy { unsafe topic.partitions[$0].leader >= 0 }
            unsafe topics[String(cString: topic.topic)] = Topic(
                partitions: partitions,
                isReady: topic.err == RD_KAFKA_RESP_ERR_NO_ERROR && partitions > 0 && isLed)
        }
    }

    var text: String {
        let count = brokers.count == 1 ? "1 broker" : "\(brokers.count) brokers"
        return id.map { "\(count), cluster \($0)" } ?? count
    }

    /// - Parameter createsTopics: whether the brokers create a topic that somebody writes to, as far as that is known.
    func finding(on need: TopicNeed, createsTopics: Bool?) -> ResourceFinding {
        let subject = ResourceNeed.topic(need).subject
        if let topic = topics[need.name] {
            return topic.isReady
                ? ResourceFinding(subject, .ok, Self.partitions(topic.partitions))
                : ResourceFinding(
                    subject, .wrong, "a partition has no leader",
                    hint: "wait for its brokers, or look at their logs")
        }
        switch need.creation {
        case .atStart(let count):
            return ResourceFinding(
                subject, .ok, "not there: `run` creates it with \(Self.partitions(count))")
        case .atFirstMessage(let count):
            return ResourceFinding(
                subject, .ok,
                "not there: created at the first message with \(Self.partitions(count))")
        case .never where createsTopics == true:
            return ResourceFinding(
                subject, .ok, "not there: the broker creates it when somebody writes to it")
        case .never:
            return ResourceFinding(
                subject, .wrong, "not there, or this user may not see it",
                hint: "create it, or add \"create\": { \"partitions\": 3 } to the input")
        }
    }

    private static func partitions(_ count: Int?) -> String {
        guard let count else { return "the broker's default partitions" }
        return count == 1 ? "1 partition" : "\(count) partitions"
    }
}
