internal import CRdKafka
internal import Calendar
internal import PipelineCore

/// Looks at a cluster by requests that change nothing. Everything blocks: for threads of their own
/// only.
///
/// Asks for all topics, since asking for one by its name is what creates it on some clusters.
struct KafkaInspection {
    /// How long all brokers may have been unreachable before nobody is waited for any more: the
    /// next address of a name (IPv4 after IPv6) may answer.
    private static let patience: Duration = .seconds(1)
    private static let slice: Duration = .milliseconds(250)

    private let client: KafkaClient
    private let clock: PipelineClock
    private let deadline: Instant

    init(_ settings: KafkaSettings, _ log: KafkaLog?, _ clock: PipelineClock, timeout: Duration)
        throws(PipelineError)
    {
        client = try KafkaClient(
            RD_KAFKA_CONSUMER, settings.configuration(for: .admin),
            ClientEvents(log: log, clock: clock, history: settings.history))
        self.clock = clock
        deadline = clock.now.advanced(by: timeout)
    }

    func findings(on needs: [ResourceNeed]) throws(PipelineError) -> [ResourceFinding] {
        let cluster = try cluster()
        let topics = needs.compactMap { need -> TopicNeed? in
            if case .topic(let topic) = need { topic } else { nil }
        }
        let isUnsure = topics.contains {
            $0.creation == .never && cluster.topics[$0.name] == nil
        }
        let createsTopics = isUnsure ? createsTopics(askedOf: cluster.brokers) : nil
        return [ResourceFinding(.ok, cluster.text)]
            + topics.map { cluster.finding(on: $0, createsTopics: createsTopics) }
    }

    /// What positions in a topic are kept under, whether it is there or not.
    func logName(of topic: String) throws(PipelineError) -> LogName? {
        try cluster().id.map { KafkaConsumer.logName(of: topic, cluster: $0) }
    }

    /// What a topic holds; `nil` without it.
    func extent(of topic: String) throws(PipelineError) -> LogExtent? {
        let cluster = try cluster()
        guard let id = cluster.id, let count = cluster.topics[topic]?.partitions else {
            return nil
        }
        let ranges = try client.watermarks(
            of: topic, Array(0..<Int32(count)), timeoutMilliseconds: milliseconds(.seconds(3600)))
        return LogExtent(log: KafkaConsumer.logName(of: topic, cluster: id), ranges: ranges)
    }

    func contradiction(
        in topic: String, to stored: StoredPositions, _ probe: LogProbe
    ) throws(PipelineError) -> LogContradiction? {
        guard let count = try cluster().topics[topic]?.partitions else { return nil }
        if let found = LogContradiction(stored: stored.partitions, found: count) { return found }
        let limit = milliseconds(.seconds(3600))
        let ranges = try client.watermarks(
            of: topic, Array(stored.next.keys), timeoutMilliseconds: limit)
        if let found = LogContradiction(stored, ranges: ranges) { return found }
        let sightings = try probe.look(
            at: stored.witnessOffsets(in: ranges), of: topic, timeoutMilliseconds: limit)
        return LogContradiction(stored, sightings: sightings)
    }

    private func cluster() throws(PipelineError) -> ClusterView {
        while true {
            if let view = try look() { return view }
            // Connection errors are handed out when the client is polled.
            unsafe client.withHandle { unsafe _ = rd_kafka_poll($0, 0) }
            let faults = client.events.faults
            if let refusal = faults.refusal { throw refusal }
            let isDown = faults.downSince.map { $0.duration(to: clock.now) > Self.patience }
            if isDown == true || clock.now >= deadline {
                throw .kafka(
                    RD_KAFKA_RESP_ERR__TRANSPORT, "Kafka does not answer", faults.lastReason)
            }
        }
    }

    /// `nil` while nobody answers.
    private func look() throws(PipelineError) -> ClusterView? {
        let limit = milliseconds(Self.slice)
        let (code, view) = unsafe client.withHandle { handle in
            var metadata: UnsafePointer<rd_kafka_metadata>?
            let code = unsafe rd_kafka_metadata(handle, 1, nil, &metadata, limit)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata = unsafe metadata else {
                return (code, ClusterView?.none)
            }
            defer { unsafe rd_kafka_metadata_destroy(metadata) }
            return unsafe (code, ClusterView(metadata, id: Self.clusterID(handle)))
        }
        switch KafkaErrorKind(code) {
        case _ where code == RD_KAFKA_RESP_ERR_NO_ERROR: return view
        case .timeout, .unavailable, .busy: return nil
        default: throw .kafka(code, "asking for the cluster's topics", nil)
        }
    }

    /// Known from the metadata that has just been read: this does not wait.
    private static func clusterID(_ handle: OpaquePointer) -> String? {
        guard let text = unsafe rd_kafka_clusterid(handle, 0) else { return nil }
        defer { unsafe rd_kafka_mem_free(handle, text) }
        return unsafe String(cString: text)
    }

    private func milliseconds(_ most: Duration) -> Int32 {
        let left = min(clock.now.duration(to: deadline), most)
        return Int32(clamping: max(1, left.wholeMilliseconds))
    }
}

extension KafkaInspection {
    /// Whether a broker creates topics by itself (`auto.create.topics.enable`); `nil` when it does
    /// not say.
    private func createsTopics(askedOf brokers: [Int32]) -> Bool? {
        guard let broker = brokers.first else { return nil }
        let limit = max(1, milliseconds(.seconds(3600)))
        return client.settings(
            of: RD_KAFKA_RESOURCE_BROKER, "\(broker)", timeoutMilliseconds: limit)?[
                "auto.create.topics.enable"
            ].map { $0 == "true" }
    }
}

/// What a broker says of its cluster.
struct ClusterView: Sendable {
    struct Topic: Sendable {
        var partitions: Int
        var isReady: Bool
    }
    /// By their ids.
    fileprivate var brokers: [Int32]
    fileprivate var topics: [String: Topic]
    fileprivate var id: String?

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

    fileprivate var text: String {
        let count = brokers.count == 1 ? "1 broker" : "\(brokers.count) brokers"
        return id.map { "\(count), cluster \($0)" } ?? count
    }

    /// - Parameter createsTopics: whether the brokers create a topic that somebody writes to, as
    ///   far as that is known.
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
