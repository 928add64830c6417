// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
    .enableExperimentalFeature("Lifetimes"),
]

/// A wall of the design: a folder of `Sources/<layer>`, with what it may import.
func layer(_ folder: String, _ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/\(folder)/\(name)",
        swiftSettings: strict)
}

func system(_ name: String) -> Target {
    .systemLibrary(name: name, path: "Sources/System/\(name)")
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(name)Tests",
        exclude: exclude, swiftSettings: strict)
}

let package = Package(
    name: "penstock",
    products: [
        .executable(name: "penstock", targets: ["penstock"]),
        // What a stage of somebody else is written with: the roles, its settings, the log.
        .library(name: "PipelineCore", targets: ["PipelineCore", "Specification", "Logging"]),
        // What a program with such a stage is made of: the command, and all that ships.
        .library(name: "PenstockCommand", targets: ["PenstockCommand", "StandardCatalogue"]),
        // What such a stage is tested with.
        .library(name: "PipelineTesting", targets: ["PipelineTesting"]),
    ],
    targets: [
        system("CRdKafka"), system("CPostgres"), system("CHiredis"),
        system("CGRPC"), system("CSQLite"), system("CMicrohttpd"), system("CThreads"),

        layer("Base", "Calendar"),
        layer("Base", "Concurrency", ["CThreads"]),

        layer("Tooling", "Specification"),
        layer("Tooling", "Logging", ["Calendar"]),
        layer("Tooling", "Metrics", ["CMicrohttpd"]),

        layer("Transport", "Protobuf", ["Calendar"]),
        layer("Transport", "ReportMessages", ["Protobuf"]),
        layer("Transport", "GRPCTransport", ["Protobuf", "CGRPC", "Calendar", "Concurrency"]),
        .executableTarget(
            name: "protoc-gen-penstock", dependencies: ["Protobuf"],
            path: "Sources/Transport/ProtobufGenerator", swiftSettings: strict),

        layer("Pipeline", "PipelineCore", ["Specification", "Logging", "Calendar", "Concurrency"]),
        layer("Pipeline", "PipelineConfiguration", ["PipelineCore", "Specification"]),
        layer("Pipeline", "Batching", ["PipelineCore", "Specification", "Calendar"]),
        layer("Pipeline", "PipelineRuntime", ["PipelineCore", "Logging"]),
        layer("Pipeline", "PipelineSimulation", ["PipelineCore", "Calendar"]),

        layer("Ledger", "Ledger", ["PipelineCore", "Batching"]),
        layer(
            "Ledger", "PostgresLedger",
            ["Ledger", "Batching", "PipelineCore", "Postgres", "Calendar"]),
        layer(
            "Ledger", "SQLiteLedger", ["Ledger", "Batching", "PipelineCore", "SQLite", "Calendar"]),

        layer("Connectors", "Kafka", ["PipelineCore", "CRdKafka", "Calendar", "Concurrency"]),
        layer("Connectors", "Postgres", ["PipelineCore", "CPostgres", "Calendar"]),
        layer("Connectors", "Redis", ["PipelineCore", "Specification", "CHiredis", "Calendar"]),
        layer("Connectors", "SQLite", ["PipelineCore", "CSQLite", "Calendar"]),
        layer("Connectors", "Files", ["PipelineCore", "Specification"]),

        .target(
            name: "Stages",
            dependencies: ["PipelineCore", "Specification", "Batching", "Ledger", "Logging"],
            path: "Sources/Stages", swiftSettings: strict),

        layer(
            "Reports", "ConversionReports",
            ["PipelineCore", "Protobuf", "ReportMessages", "Postgres", "SQLite", "Calendar"]),
        layer(
            "Reports", "ReportService",
            ["PipelineCore", "Logging", "Protobuf", "ReportMessages", "GRPCTransport", "Calendar"]),

        layer(
            "Program", "StandardCatalogue",
            [
                "PipelineCore", "PipelineRuntime", "Stages", "Ledger", "PostgresLedger",
                "SQLiteLedger", "Kafka", "Postgres", "Redis", "SQLite", "Files",
                "ConversionReports", "Logging", "ReportService", "Calendar", "DryRun",
            ]),
        layer("Program", "DryRunReport", ["Calendar", "PipelineCore", "Specification"]),
        layer(
            "Program", "DryRunRendering",
            ["Calendar", "DryRunReport", "PipelineCore", "Specification"]),
        layer(
            "Program", "DryRun",
            [
                "PipelineSimulation", "PipelineRuntime", "PipelineConfiguration", "PipelineCore",
                "Specification", "Logging", "Protobuf", "Ledger", "SQLite", "SQLiteLedger",
                "Calendar", "DryRunReport",
            ]),
        layer(
            "Program", "PenstockCommand",
            [
                "StandardCatalogue", "DryRun", "PipelineRuntime", "PipelineConfiguration",
                "PipelineCore", "Specification", "Logging", "Metrics", "ConversionReports",
                "ReportService", "GRPCTransport", "ReportMessages", "Protobuf", "Ledger", "Files",
                "Calendar", "DryRunRendering", "DryRunReport",
            ]),
        .executableTarget(
            name: "penstock", dependencies: ["PenstockCommand"],
            path: "Sources/Program/penstock", swiftSettings: strict),

        layer(
            "Testing", "PipelineTesting",
            ["PipelineCore", "Batching", "Ledger", "Specification", "Logging", "Calendar"]),
        .executableTarget(
            name: "protobuf-testee", dependencies: ["Protobuf", "ReportMessages"],
            path: "Sources/Testing/ProtobufTestee", swiftSettings: strict),
        .executableTarget(
            name: "ingest-benchmark",
            dependencies: [
                "PipelineCore", "Batching", "Ledger", "PostgresLedger", "Postgres", "Kafka",
                "ConversionReports",
            ],
            path: "Sources/Testing/IngestBenchmark", swiftSettings: strict),
        .executableTarget(
            name: "plain-clients", path: "Sources/Testing/PlainClients",
            linkerSettings: [.linkedLibrary("rdkafka"), .linkedLibrary("pq")]),

        tests("Architecture", []),
        tests("Specification", ["Specification"], exclude: ["Corpus"]),
        tests("Tooling", ["Logging", "Metrics", "Calendar"]),
        tests("Protobuf", ["Protobuf", "ReportMessages"], exclude: ["Foreign"]),
        tests("GRPCTransport", ["GRPCTransport", "Protobuf"], exclude: ["Foreign"]),
        tests(
            "PipelineCore",
            [
                "PipelineCore", "PipelineTesting", "Specification", "Calendar", "Concurrency",
                "Logging",
            ]),
        tests(
            "PipelineConfiguration", ["PipelineConfiguration", "PipelineCore", "Specification"],
            exclude: ["Golden"]),
        tests(
            "Batching", ["Batching", "PipelineCore", "PipelineTesting", "Specification"],
            exclude: ["Foreign", "Transcripts"]),
        tests(
            "PipelineRuntime",
            [
                "PipelineRuntime", "PipelineCore", "PipelineTesting", "Batching", "Logging",
                "Specification", "Calendar",
            ]),
        tests(
            "Ledger",
            [
                "Ledger", "PostgresLedger", "SQLiteLedger", "Postgres", "SQLite", "Batching",
                "PipelineCore", "PipelineTesting",
            ]),
        tests("Kafka", ["Kafka", "PipelineCore", "PipelineTesting"]),
        tests("Postgres", ["Postgres", "PipelineCore"]),
        tests("Redis", ["Redis", "PipelineCore", "PipelineTesting", "Calendar"]),
        tests("SQLite", ["SQLite", "PipelineCore", "PipelineTesting"]),
        tests("Files", ["Files", "Stages", "Logging", "PipelineCore", "PipelineTesting"]),
        tests(
            "Stages",
            [
                "Stages", "PipelineCore", "PipelineTesting", "Batching", "Specification", "Logging",
            ]),
        tests(
            "ConversionReports",
            [
                "ConversionReports", "ReportService", "ReportMessages", "Protobuf", "Postgres",
                "SQLite", "PipelineCore", "PipelineTesting", "Logging",
            ]),
        tests(
            "ReportService",
            [
                "ReportService", "ReportMessages", "GRPCTransport", "Protobuf", "PipelineCore",
                "PipelineTesting", "Logging",
            ]),
        tests(
            "Simulation",
            [
                "PipelineSimulation", "PipelineRuntime", "PipelineConfiguration", "PipelineCore",
                "Specification", "Logging", "Stages", "Ledger", "SQLiteLedger", "SQLite",
                "Calendar",
            ]),
        tests(
            "DryRun",
            [
                "DryRun", "PipelineConfiguration", "PipelineRuntime", "StandardCatalogue",
                "PipelineCore", "PipelineTesting", "Specification", "Logging", "Calendar",
                "DryRunRendering", "DryRunReport",
            ], exclude: ["Golden", "Foreign"]),
        tests(
            "PenstockCommand",
            [
                "PenstockCommand", "StandardCatalogue", "PipelineTesting", "PipelineCore",
                "PipelineConfiguration", "Specification",
            ], exclude: ["Golden"]),
    ]
)
