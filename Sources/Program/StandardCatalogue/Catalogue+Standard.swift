internal import ConversionReports
internal import Files
internal import GRPCTransport
internal import Kafka
internal import Logging
internal import Memory
internal import Metrics
public import PipelineCore
internal import Postgres
internal import Redis
internal import ReportService
internal import SQLite
internal import Stages
internal import Webhook

extension Catalogue {
    /// Every plug-in that Penstock ships.
    public static var standard: Catalogue {
        Catalogue(
            stages: [
                IngestStage.self, DedupeStage.self, AccumulateStage.self, GenerateStage.self,
                PublishStage.self, CacheStage.self,
            ],
            codecs: codecs, connectors: connectors,
            generators: [conversion, remote], errorCodes: ErrorCode.standard,
            metrics: MetricDeclaration.standard)
    }

    private static var codecs: [Codec] {
        [
            Codec(
                name: "report-request",
                summary: "Requests for conversion reports: JSON or protobuf ReportRequest.",
                yields: .requests, decoder: ReportRequestDecoder(), sample: SamplePayload.request),
            Codec(
                name: "conversion-event",
                summary: "View and payment events: JSON or protobuf ConversionEvent.",
                yields: .events, decoder: ConversionEventDecoder(), sample: SamplePayload.event),
            Codec(name: "raw", summary: "Payloads as they are.", yields: .bytes),
            Codec(
                name: "report-ready",
                summary:
                    "Renders outcomes: announced as JSON ReportReady, cached as answers to GetReport.",
                yields: nil, encoder: ReportOutcomeEncoder()),
        ]
    }

    private static var conversion: GeneratorRegistration {
        GeneratorRegistration(
            name: ConversionGenerator.name,
            summary: "Views against payments of a product over a period, from a report store.",
            needsStore: true, check: conversionObjection(to:)
        ) { _, store, context in
            guard let store = store as? any StandardStore else {
                throw PipelineError.fatal(
                    .wrongResource,
                    "stage \(context.stage): the generator \"conversion\" reads a \"store\"; name one"
                )
            }
            return ConversionGenerator(store: store.reports)
        }
    }

    @Sendable private static func conversionObjection(to written: String) -> String? {
        written == ConversionGenerator.name
            ? nil : "\"\(ConversionGenerator.name)\" takes no address"
    }

    private static var remote: GeneratorRegistration {
        GeneratorRegistration(
            name: GeneratorAddresses.scheme,
            summary: "\(GeneratorAddresses.form): ReportGeneratorService in other processes, as "
                + "`penstock generate` serves it.",
            check: GeneratorAddresses.objection(to:),
            inspect: { written, timeout in
                do {
                    return await RemoteGenerator.inspect(
                        try GeneratorAddresses(written), timeout: timeout)
                } catch {
                    return [ResourceFinding("generator", failure: error)]
                }
            }
        ) { written, _, context in
            try RemoteGenerator(
                GeneratorAddresses(written), timeout: context.timeout ?? .seconds(300),
                clock: context.clock, random: context.random, outages: context.outages)
        }
    }
}

extension MetricDeclaration {
    /// What all connectors, and the services, tell: a module's list is added here.
    fileprivate static let standard =
        ofBuses + ofKafka + ofDatabases + ofPostgres + ofRedis + ofWebhooks + ofGRPCServers
        + ofReportAPIs + ofStores
}

extension Catalogue {
    static var connectors: [Connector] {
        [kafka, postgres, redis, embedded, memory, grpc, webhook, file, standardStreams]
    }

    private static var kafka: Connector {
        var connector = Connector(
            schemes: ["kafka"], summary: "Apache Kafka. Properties are librdkafka's.",
            example: "kafka://broker-1:9092,broker-2:9092", kinds: [.bus],
            check: { address in objection { try KafkaBus(address) } }
        ) { address, context in
            let log = LibraryLog("librdkafka", clock: context.clock, logger: context.logger)
            let outages = context.outages
            return try KafkaBus(address, clock: context.clock, metrics: context.metrics) { line in
                log.log(line, outages)
            }
        }
        connector.identity = { identity(ofHosts: $0, port: 9092) }
        connector.files = KafkaBus.files(of:)
        return connector
    }

    /// One form for every way to write the same servers: in lower case, with their ports, in order.
    private static func identity(ofHosts address: ResourceAddress, port: Int) -> String {
        var hosts = address.rest[...]
        var credentials = ""
        if let at = hosts.lastIndex(of: "@") {
            credentials = String(hosts[...at])
            hosts = hosts[hosts.index(after: at)...]
        }
        if hosts.hasSuffix("/") { hosts.removeLast() }
        let all = hosts.lowercased().split(separator: ",", omittingEmptySubsequences: false).map {
            host in
            let name = host.lastIndex(of: "]").map { host[$0...] } ?? host
            return name.contains(":") ? String(host) : "\(host):\(port)"
        }
        return "\(address.scheme)://\(credentials)\(all.sorted().joined(separator: ","))"
    }

    private static var postgres: Connector {
        let directory = PostgresPlaces()
        var connector = Connector(
            schemes: ["postgres", "postgresql"],
            summary: "PostgreSQL: ledgers, events and reports. Properties are libpq's.",
            example: "postgres://penstock@db:5432/penstock", kinds: [.store],
            check: { address in objection { try PostgresPool(address) } }
        ) { address, context in
            let log = LibraryLog("PostgreSQL", clock: context.clock, logger: context.logger)
            return try PostgresStore(address, among: directory, metrics: context.metrics) { line in
                log.log(line)
            }
        }
        connector.files = PostgresPool.files(of:)
        return connector
    }

    private static var redis: Connector {
        var connector = Connector(
            schemes: ["redis", "rediss"], summary: "Redis; rediss is with TLS.",
            example: "redis://cache:6379/0", kinds: [.cache], check: RedisCache.objection(to:)
        ) { address, context in
            try RedisCache(
                address: address, clock: context.clock, random: context.random,
                metrics: context.metrics)
        }
        connector.files = RedisCache.files(of:)
        return connector
    }

    private static var embedded: Connector {
        let writers = SQLiteWriters()
        var connector = Connector(
            schemes: ["embedded"],
            summary: "A file of SQLite that is a bus and a store; one `run` at a time.",
            example: "embedded:data/penstock.sqlite", kinds: [.bus, .store],
            check: { plain($0, needs: "a path") },
            place: { ResourcePlace(owns: FileIdentity(path: $0.rest)?.name) }
        ) { address, context in EmbeddedStore(address, context: context, among: writers) }
        connector.identity = { "embedded:\(SQLiteDatabase.location(of: $0.rest))" }
        return connector
    }

    private static var memory: Connector {
        Connector(
            schemes: ["memory"], summary: "Memory of the process, bounded.",
            example: "memory:64MiB", kinds: [.cache],
            check: { address in objection { try MemoryCache(address: address, clock: .system) } }
        ) { address, context in try MemoryCache(address: address, clock: context.clock) }
    }

    private static var grpc: Connector {
        var connector = Connector(
            schemes: ["grpc"], summary: "The report API, on that address.",
            example: "grpc://127.0.0.1:50051", kinds: [.api],
            check: { address in
                address.rest.contains("@")
                    ? "it has no user and no password"
                    : objection { try ReportAPI.Configuration(address) }
            }
        ) { address, context in
            ReportAPI(
                configuration: try .init(address), encoder: ReportOutcomeEncoder(),
                clock: context.clock, random: context.random, logger: context.logger,
                metrics: context.metrics)
        }
        connector.identity = { address in
            identity(ofHosts: address, port: 0).replacing("//localhost:", with: "//127.0.0.1:")
        }
        connector.files = ReportAPI.files(of:)
        return connector
    }

    private static var webhook: Connector {
        var connector = Connector(
            schemes: ["https", "http"],
            summary: "The receiver of a webhook: a signed call for each outcome.",
            example: "https://hook.example/reports", kinds: [.webhook],
            check: HTTPEndpoint.objection(to:)
        ) { address, context in
            try HTTPEndpoint(
                address: address, clock: context.clock, random: context.random,
                metrics: context.metrics)
        }
        connector.files = HTTPEndpoint.files(of:)
        return connector
    }

    private static var file: Connector {
        Connector(
            schemes: ["file"], summary: "A file of lines, one record each.",
            example: "file:requests.jsonl", kinds: [.lines],
            check: { plain($0, needs: "a path") }, place: { LineFile.place(of: $0.rest) }
        ) { address, _ in LineFile(path: address.rest) }
    }

    private static var standardStreams: Connector {
        Connector(
            schemes: ["stdio"], summary: "Standard input or output, one record a line.",
            example: "stdio:", kinds: [.lines],
            check: { address in
                plain(address) ?? (address.rest.isEmpty ? nil : "nothing follows stdio:")
            }, place: { _ in StandardStream.place }
        ) { _, _ in StandardStream() }
    }
}

extension Catalogue {
    /// What an initializer that only looks at an address has against it.
    private static func objection(_ make: () throws -> some Any) -> String? {
        do {
            _ = try make()
            return nil
        } catch {
            return (error as? PipelineError)?.message ?? "\(error)"
        }
    }

    /// What is wrong with an address that has no properties.
    private static func plain(_ address: ResourceAddress, needs part: String? = nil) -> String? {
        if let name = address.properties.keys.min() {
            return "\(address.scheme): has no property \"\(name)\""
        }
        guard let part else { return nil }
        return address.rest.isEmpty ? "\(part) follows \(address.scheme):" : nil
    }
}

extension LibraryLog {
    /// Each sentence is a kind: they tell of changes.
    fileprivate func log(_ line: PostgresLogLine) {
        let level: Logger.Level =
            switch line.severity {
            case .notice: .notice
            case .warning: .warning
            case .error: .error
            }
        log(level, line.message, line.message)
    }

    /// What librdkafka has to say; its own news are details to us.
    fileprivate func log(_ line: KafkaLogLine, _ outages: Outages) {
        log(
            line.severity <= 3 ? .error : line.severity <= 4 ? .warning : .debug,
            line.facility, line.message,
            mayBeOutage: ["FAIL", "ERROR"].contains(line.facility), isKnown: outages.isAway(.bus))
    }
}
