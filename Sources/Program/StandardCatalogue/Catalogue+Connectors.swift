internal import ConversionReports
internal import Files
internal import Kafka
internal import Logging
internal import PipelineCore
internal import Redis
internal import ReportService

extension Catalogue {
    static var connectors: [Connector] {
        [kafka, postgres, redis, embedded, memory, grpc, file, standardStreams]
    }

    private static var kafka: Connector {
        Connector(
            schemes: ["kafka"], summary: "Apache Kafka. Properties are librdkafka's.",
            example: "kafka://broker-1:9092,broker-2:9092", kinds: [.bus]
        ) { address, context in
            let logger = context.logger
            return try KafkaBus(address, clock: context.clock) { line in
                logger.log(line)
            }
        }
    }

    private static var postgres: Connector {
        Connector(
            schemes: ["postgres", "postgresql"],
            summary: "PostgreSQL: ledgers, events and reports. Properties are libpq's.",
            example: "postgres://penstock@db:5432/penstock", kinds: [.store]
        ) { address, _ in try PostgresStore(address) }
    }

    private static var redis: Connector {
        Connector(
            schemes: ["redis", "rediss"], summary: "Redis.", example: "redis://cache:6379/0",
            kinds: [.cache]
        ) { address, context in
            try RedisCache(address: address, clock: context.clock, random: context.random)
        }
    }

    private static var embedded: Connector {
        Connector(
            schemes: ["embedded"],
            summary: "A file of SQLite that is a bus and a store; one `run` at a time.",
            example: "embedded:data/penstock.sqlite", kinds: [.bus, .store]
        ) { address, context in EmbeddedStore(address, context: context) }
    }

    private static var memory: Connector {
        Connector(
            schemes: ["memory"], summary: "Memory of the process, bounded.",
            example: "memory:64MiB", kinds: [.cache]
        ) { address, context in try MemoryCache(address: address, clock: context.clock) }
    }

    private static var grpc: Connector {
        Connector(
            schemes: ["grpc"], summary: "The report API, on that address.",
            example: "grpc://127.0.0.1:50051", kinds: [.api]
        ) { address, context in
            ReportAPI(
                configuration: .init(address: address.rest), encoder: ReportOutcomeEncoder(),
                clock: context.clock, random: context.random, logger: context.logger)
        }
    }

    private static var file: Connector {
        Connector(
            schemes: ["file"], summary: "A file of lines, one record each.",
            example: "file:requests.jsonl", kinds: [.lines]
        ) { address, _ in LineFile(path: address.rest) }
    }

    private static var standardStreams: Connector {
        Connector(
            schemes: ["stdio"], summary: "Standard input or output, one record a line.",
            example: "stdio:", kinds: [.lines]
        ) { _, _ in StandardStream() }
    }
}

extension Logger {
    /// What librdkafka has to say; its own news are details to us.
    fileprivate func log(_ line: KafkaLogLine) {
        log(
            level: line.severity <= 3 ? .error : line.severity <= 4 ? .warning : .debug,
            "librdkafka: \(line.message)", metadata: ["facility": "\(line.facility)"])
    }
}
