import PipelineTesting
internal import Kafka
internal import PipelineCore
internal import Synchronization
internal import Testing

struct KafkaSettingsTests {
    private func refusal(_ url: String, _ properties: [String: String] = [:]) -> PipelineError? {
        do throws(PipelineError) {
            _ = try KafkaBus(ResourceAddress(url: url, properties: properties)!)
            return nil
        } catch { return error }
    }

    @Test(arguments: [
        "kafka://one:9092", "kafka://one", "kafka://one:9092,two:9093", "kafka://[::1]:9092",
        "kafka://one:9092/",
    ])
    func `takes addresses of brokers`(_ url: String) {
        #expect(refusal(url) == nil)
    }

    @Test(arguments: [
        "kafka://", "kafka://one:port", "kafka://one:0", "kafka://one,,two", "kafka://one/topic",
        "kafka://one?acks=1", "kafka://secret@one", "kafka://secret:%zz@one",
        "kafka://secret:%a€@one",
    ])
    func `refuses addresses that mean nothing, without showing credentials`(_ url: String) {
        let error = refusal(url)
        #expect(error?.code == "invalid-url")
        #expect(error?.disposition == .fatal)
        #expect(error?.message.contains("secret") == false)
    }

    @Test(arguments: [
        ("kafka://one", ["security.protocol": "SSL", "ssl.ca.location": "ca"], ["ca"]),
        ("kafka://u:p@one", ["ssl.ca.location": "ca", "ssl.key.location": "key"], ["ca", "key"]),
        ("kafka://one", ["ssl.ca.location": "ca"], []),
        ("kafka://one", ["security.protocol": "ssl", "ssl.ca.location": "probe"], []),
        ("kafka://one", ["security.protocol": "ssl", "ssl.ca.location": "/tmp"], []),
    ])
    func `names the files that librdkafka reads`(
        _ url: String, _ properties: [String: String], _ files: [String]
    ) {
        let found = KafkaBus.files(of: ResourceAddress(url: url, properties: properties)!)
        #expect(found.map(\.path) == files)
    }

    @Test(arguments: [
        ("kafka://localhost:99999", "\"localhost:99999\" is not host:port with a port up to 65535"),
        ("kafka://u:s3cret@localhost:99999", "\"localhost:99999\" is not host:port"),
        ("kafka://u:s3cret", "\"u:***\" is not host:port"),
    ])
    func `says what is wrong with an address`(_ url: String, _ reason: String) {
        let error = refusal(url)
        #expect(error?.message.contains(reason) == true)
        #expect(error?.message.contains("s3cret") == false)
    }

    @Test(arguments: [
        (["security.protocol": "sasl_ssl"], "security.protocol"),
        (["security.protocol": "sasl_plaintext", "sasl.mechanisms": "PLAIN"], "sasl.mechanisms"),
        (["security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-256"], "sasl.mechanisms"),
        (
            [
                "security.protocol": "sasl_ssl", "sasl.mechanisms": "LOGIN", "sasl.username": "u",
                "sasl.password": "p",
            ], "sasl.mechanisms"
        ),
        (["sasl.username": "u", "sasl.password": "p"], "security.protocol"),
        (["sasl.mechanisms": "PLAIN"], "security.protocol"),
        (["message.max.bytes": "1000000000"], "message.max.bytes"),
        (["fetch.max.bytes": "5"], "fetch.max.bytes"),
    ])
    func `refuses properties that do not fit together`(
        _ properties: [String: String], _ name: String
    ) {
        let error = refusal("kafka://one", properties)
        #expect(error?.code == "invalid-property")
        #expect(error?.disposition == .fatal)
        #expect(error?.message.contains(name) == true, "\(error.debugDescription)")
    }

    @Test(arguments: [
        ["sasl.mechanisms": "SCRAM-SHA-256"], ["security.protocol": "sasl_plaintext"],
        ["ssl.ca.location": "/nowhere.pem"],
    ])
    func `leaves to the environment what is there`(_ properties: [String: String]) {
        #expect(refusal("kafka://user:password@one", properties) == nil)
    }

    @Test func `names a property that librdkafka does not have`() {
        let error = refusal("kafka://one", ["fetch.min.bites": "1"])
        #expect(error?.code == "unknown-property")
        #expect(error?.message.contains("\"fetch.min.bites\"") == true)
        #expect(error?.message.contains(KafkaBus.libraryVersion) == true)
    }

    @Test func `says which librdkafka has a property that this one lacks`() {
        let error = refusal("kafka://one", ["max.poll.records": "100"])
        if let error {
            #expect(error.code == "unknown-property")
            #expect(error.message.contains("2.15.0"))
        } else {
            #expect(!KafkaBus.libraryVersion.hasPrefix("2.0"))
        }
    }

    @Test(arguments: [
        "enable.auto.commit", "group.id", "acks", "enable.idempotence", "auto.offset.reset",
        "partition.assignment.strategy", "bootstrap.servers", "transactional.id",
    ])
    func `keeps the properties that carry its guarantees`(_ name: String) {
        let error = refusal("kafka://one", [name: "true"])
        #expect(error?.code == "reserved-property")
        #expect(error?.message.contains("\"\(name)\"") == true)
    }

    @Test func `says what is wrong with a value`() {
        let error = refusal("kafka://one", ["session.timeout.ms": "soon"])
        #expect(error?.code == "invalid-property")
        #expect(error?.message.contains("\"session.timeout.ms\"") == true)
    }

    @Test func `never shows the value of a secret`() {
        let properties = [
            "security.protocol": "ssl", "ssl.key.pem": "hunter2", "ssl.key.password": "hunter3",
        ]
        let error = refusal("kafka://one", properties)
        #expect(error == nil || error?.message.contains("hunter") == false)
        let made = refusal("kafka://user:hunter2@one", ["security.protocol": "hunter"])
        #expect(made?.code == "invalid-property")
        #expect(made?.message.contains("hunter2") == false)
    }

    @Test func `gives each client only the properties meant for it`() async throws {
        let lines = Mutex<[String]>([])
        let cluster = try MockCluster()
        cluster.createTopic("quiet", partitions: 1)
        var address = cluster.address
        address.properties = ["linger.ms": "2", "fetch.min.bytes": "1", "client.id": "test"]
        let bus = try KafkaBus(address) { line in lines.withLock { $0.append(line.message) } }
        let producer = try await bus.producer()
        let consumer = try await bus.consumer(
            Subscription(topic: "quiet", group: "quiet"), positions: nil)
        await consumer.close()
        await producer.close()
        #expect(lines.withLock { $0.filter { $0.contains("property") } } == [])
    }
}
