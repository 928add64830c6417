import ConfigurationDiagnostics
import ConfigurationFields
import LocatedJSON
import PipelineConfiguration
import PipelineCore

/// Stages with the settings of the standard ones, which are in a layer above and cannot be used here.
enum SampleStages {
    static let catalogue = Catalogue(
        stages: [
            Ingest.self, Dedupe.self, Accumulate.self, Generate.self, Publish.self, CacheSink.self,
        ],
        codecs: [
            Codec(name: "report-request", summary: "Report requests.", yields: .requests),
            Codec(name: "raw", summary: "Bytes as they are.", yields: .bytes),
        ],
        connectors: [
            connector(["kafka"], "kafka://host:9092", [.bus]),
            connector(["postgres", "postgresql"], "postgres://host/db", [.store]),
            connector(["redis"], "redis://host:6379", [.cache]),
            connector(["embedded"], "embedded:data/penstock.sqlite", [.bus, .store]),
            connector(["memory"], "memory:64MiB", [.cache]) { address in
                address.rest.hasSuffix("B") ? nil : "\(address.rest) is not a byte size"
            },
            connector(["grpc"], "grpc://127.0.0.1:50051", [.api]),
        ],
        generators: [
            GeneratorRegistration(name: "conversion", summary: "Counts.") { _, _, _ in
                throw PipelineError.fatal(
                    ErrorCode(foreign: "never"), "generators are not built here")
            }
        ])

    static func connector(
        _ schemes: [String], _ example: String, _ kinds: [ResourceKind],
        check: @escaping @Sendable (ResourceAddress) -> String? = { _ in nil }
    ) -> Connector {
        Connector(
            schemes: schemes, summary: "For tests.", example: example, kinds: kinds, check: check
        ) { _, _ in
            throw PipelineError.fatal(
                ErrorCode(foreign: "never"), "connections are not opened here")
        }
    }
}

/// A stage that is described and never built.
protocol SampleStage: StagePlugin {}

extension SampleStage {
    static var guarantee: String { "Gives none." }
    func build(_ context: StageContext) throws -> StageInstance {
        throw PipelineError.fatal(ErrorCode(foreign: "never"), "stages are not built here")
    }
}

struct Ingest: SampleStage {
    static let type = "ingest"
    static let role = StageRole.source
    static let summary = "Brings records in."

    struct Input: Settings {
        static let summary = "An input."
        let resource: ResourceName
        let topic: String?
        init(_ field: Fields) {
            resource = field("resource", "Where to read.", example: "bus")
            topic = field.optional("topic", "What to read.", example: "requests")
        }
    }

    let codec: String
    let from: [Input]

    init(_ field: Fields) {
        codec = field("codec", "How payloads are read.", example: "report-request")
        from = field.list("from", "The inputs.")
    }

    func contract(in catalogue: Catalogue) -> StageContract {
        let yields = catalogue.codec(codec)?.yields
        var objections: [StageContract.Objection] = []
        if yields == nil {
            objections.append(
                .init(
                    field: "codec", code: .unknownCodec,
                    "there is no codec \(JSON.quoted(codec))",
                    hint: Suggestion.hint(for: codec, among: catalogue.codecs.map(\.name))))
        }
        return StageContract(
            uses: from.enumerated().map { index, input in
                ResourceUse(
                    "from[\(index)].resource", input.resource,
                    input.topic.map {
                        let need = TopicNeed($0, .reads, creation: .never)
                        return .topic(TopicUse("from[\(index)].topic", need))
                    } ?? .reads)
            }, objections: objections
        ) { input in
            input == nil ? .yields(yields ?? .bytes) : .refuses("it reads by itself")
        }
    }
}

struct Dedupe: SampleStage {
    static let type = "dedupe"
    static let role = StageRole.transform
    static let summary = "Drops repeats."
    let key: String
    let window: Duration

    init(_ field: Fields) {
        key = field("key", "What makes a repeat.", example: "case_id")
        window = field("window", "How long a key is remembered.", default: .minutes(10))
    }

    func contract(in catalogue: Catalogue) -> StageContract {
        StageContract { .yields($0 ?? .bytes) }
    }
}

struct Accumulate: SampleStage {
    enum Durability: String, Choice { case store, none }

    static let type = "accumulate"
    static let role = StageRole.barrier
    static let summary = "Collects requests and seals batches."
    let store: ResourceName?
    let durability: Durability
    let trigger: [Rule]
    let maxBatch: Int

    /// One rule of a trigger: enough for a bound.
    struct Rule: Settings {
        static let summary = "A rule."
        let count: Int?
        let maxAge: Duration?
        init(_ field: Fields) {
            count = field.optional("count", "So many.", example: 512, in: 1...)
            maxAge = field.optional("max_age", "So old.", example: .hours(12))
        }
    }

    init(_ field: Fields) {
        store = field.optional("store", "Where cases are kept.", example: "store")
        durability = field("durability", "What survives a crash.", default: .store)
        trigger = field.list("trigger", "When batches are sealed.")
        maxBatch = field("max_batch", "Most cases.", unit: "cases", default: 512, in: 1...10_000)
    }

    func contract(in catalogue: Catalogue) -> StageContract {
        StageContract(
            uses: store.map {
                [ResourceUse("store", $0, .keepsLedger(rule: "", revision: nil))]
            } ?? [],
            longestWait: { _ in trigger.compactMap(\.maxAge).min() },
            edge: { input in
                guard input == .requests else { return .refuses("it collects requests") }
                return .yields(durability == .none ? .requests : .batches)
            })
    }
}

struct Generate: SampleStage {
    static let type = "generate"
    static let role = StageRole.worker
    static let summary = "Answers batches."
    let generator: String
    let store: ResourceName
    let timeout: Duration

    init(_ field: Fields) {
        generator = field("generator", "What answers.", example: "conversion")
        store = field("store", "Where events are.", example: "store")
        timeout = field("timeout", "Longest run.", default: .minutes(10))
    }

    func contract(in catalogue: Catalogue) -> StageContract {
        StageContract(
            uses: [ResourceUse("store", store, .answersFrom(generator: generator))],
            longestWait: { _ in timeout },
            edge: { input in
                input == .requests || input == .batches
                    ? .yields(.outcomes) : .refuses("it answers requests")
            })
    }
}

struct Publish: SampleStage {
    static let type = "publish"
    static let role = StageRole.sink
    static let summary = "Sends to a topic."
    let to: ResourceName
    let topic: String

    init(_ field: Fields) {
        to = field("to", "Where to.", example: "bus")
        topic = field("topic", "Which topic.", example: "report-ready")
    }

    func contract(in catalogue: Catalogue) -> StageContract {
        StageContract(
            uses: [
                ResourceUse(
                    "to", to,
                    .topic(
                        TopicUse(
                            "topic",
                            TopicNeed(
                                topic, .writes, creation: .atFirstMessage(partitions: nil)))))
            ]
        ) { input in
            guard let input, input != .batches else { return .refuses("it sends records") }
            return .yields(input)
        }
    }
}

struct CacheSink: SampleStage {
    static let type = "cache"
    static let role = StageRole.sink
    static let summary = "Lays answers out for readers."
    let cache: ResourceName
    let ttl: Duration

    init(_ field: Fields) {
        cache = field("in", "Which cache.", example: "cache")
        ttl = field("ttl", "How long.", default: .hours(24), in: .milliseconds(1)...)
    }

    func contract(in catalogue: Catalogue) -> StageContract {
        StageContract(uses: [ResourceUse("in", cache, .caches)]) { input in
            input == .outcomes ? .yields(.outcomes) : .refuses("it keeps outcomes")
        }
    }
}
