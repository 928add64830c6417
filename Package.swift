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
        .library(
            name: "PipelineCore",
            targets: [
                "PipelineCore", "ConfigurationFields", "ConfigurationDiagnostics", "LocatedJSON",
                "Logging", "Metrics",
            ]),
        // What a program with such a stage is made of: the command, and all that ships.
        .library(name: "PenstockCommand", targets: ["PenstockCommand", "StandardCatalogue"]),
        // What such a stage is tested with.
        .library(name: "PipelineTesting", targets: ["PipelineTesting"]),
    ],
    targets: [
        system("CRdKafka"), system("CPostgres"), system("CHiredis"), system("COpenSSL"),
        system("CLibcrypto"), system("CCurl"), system("CGRPC"), system("CSQLite"),
        system("CMicrohttpd"), system("CThreads"),

        layer("Base", "Calendar"),
        layer("Base", "Concurrency", ["CThreads"]),

        layer("Tooling", "LocatedJSON"),
        layer("Tooling", "ConfigurationDiagnostics", ["LocatedJSON"]),
        layer("Tooling", "ConfigurationFields", ["ConfigurationDiagnostics", "LocatedJSON"]),
        layer(
            "Tooling", "CommandLineInterface",
            ["ConfigurationFields", "ConfigurationDiagnostics", "LocatedJSON"]),
        layer("Tooling", "Logging", ["Calendar", "Concurrency"]),
        layer("Tooling", "Metrics", ["Concurrency"]),
        layer("Tooling", "AdminHTTP", ["CMicrohttpd", "Metrics"]),

        layer("Transport", "Protobuf", ["Calendar"]),
        layer("Transport", "ReportMessages", ["Protobuf"]),
        layer("Transport", "AdminMessages", ["Protobuf"]),
        layer(
            "Transport", "GRPCTransport",
            ["Protobuf", "CGRPC", "Metrics", "Calendar", "Concurrency"]),
        layer("Transport", "Identity", ["CLibcrypto", "Calendar", "LocatedJSON"]),
        .executableTarget(
            name: "protoc-gen-penstock", dependencies: ["Protobuf"],
            path: "Sources/Transport/ProtobufGenerator", swiftSettings: strict),

        layer(
            "Pipeline", "PipelineCore",
            [
                "Logging", "Metrics", "Calendar", "Concurrency", "ConfigurationDiagnostics",
                "ConfigurationFields", "LocatedJSON",
            ]),
        layer(
            "Pipeline", "PipelineConfiguration",
            ["PipelineCore", "ConfigurationDiagnostics", "ConfigurationFields", "LocatedJSON"]),
        layer(
            "Pipeline", "Batching",
            [
                "PipelineCore", "Calendar", "ConfigurationDiagnostics", "ConfigurationFields",
                "LocatedJSON",
            ]),
        layer("Pipeline", "PipelineRuntime", ["PipelineCore", "Logging", "Concurrency"]),
        layer("Pipeline", "PipelineSimulation", ["PipelineCore", "Calendar", "Concurrency"]),

        layer("Ledger", "Ledger", ["PipelineCore", "Batching"]),
        layer(
            "Ledger", "PostgresLedger",
            ["Ledger", "Batching", "PipelineCore", "Postgres", "Calendar", "Concurrency"]),
        layer(
            "Ledger", "SQLiteLedger",
            ["Ledger", "Batching", "PipelineCore", "SQLite", "Calendar", "Concurrency"]),

        layer(
            "Connectors", "Kafka",
            ["PipelineCore", "CRdKafka", "Calendar", "Concurrency", "Metrics"]),
        layer(
            "Connectors", "Postgres",
            ["PipelineCore", "CPostgres", "Calendar", "Concurrency", "Metrics"]),
        layer(
            "Connectors", "Redis",
            [
                "PipelineCore", "CHiredis", "COpenSSL", "Calendar", "ConfigurationFields",
                "Concurrency", "Metrics",
            ]),
        layer(
            "Connectors", "Webhook",
            [
                "PipelineCore", "CCurl", "COpenSSL", "Calendar", "ConfigurationFields",
                "Concurrency", "Metrics",
            ]),
        layer(
            "Connectors", "SQLite",
            ["PipelineCore", "CSQLite", "Calendar", "Concurrency", "Metrics"]),
        layer("Connectors", "Memory", ["PipelineCore", "ConfigurationFields"]),
        layer("Connectors", "Files", ["PipelineCore", "LocatedJSON", "Concurrency"]),

        .target(
            name: "Stages",
            dependencies: [
                "PipelineCore", "Batching", "Ledger", "Logging", "ConfigurationDiagnostics",
                "ConfigurationFields", "LocatedJSON", "Concurrency",
            ],
            path: "Sources/Stages", swiftSettings: strict),

        layer(
            "Reports", "ConversionReports",
            ["PipelineCore", "Protobuf", "ReportMessages", "Postgres", "SQLite", "Calendar"]),
        layer(
            "Reports", "ReportService",
            [
                "PipelineCore", "Logging", "Protobuf", "ReportMessages", "GRPCTransport",
                "Identity", "Calendar", "Concurrency", "Memory", "Metrics",
            ]),

        layer(
            "Program", "StandardCatalogue",
            [
                "PipelineCore", "PipelineRuntime", "Stages", "Ledger", "PostgresLedger",
                "SQLiteLedger", "Kafka", "Postgres", "Redis", "SQLite", "Files",
                "ConversionReports", "Logging", "ReportService", "Calendar", "DryRun", "Memory",
                "GRPCTransport", "Metrics", "Webhook",
            ]),
        layer(
            "Program", "DryRunReport",
            ["Calendar", "PipelineCore", "ConfigurationDiagnostics"]),
        layer(
            "Program", "DryRunRendering",
            [
                "Calendar", "DryRunReport", "PipelineCore", "LocatedJSON",
                "ConfigurationDiagnostics",
            ]),
        layer(
            "Program", "DryRun",
            [
                "PipelineSimulation", "PipelineRuntime", "PipelineConfiguration", "PipelineCore",
                "Logging", "Protobuf", "Ledger", "SQLite", "SQLiteLedger", "Calendar",
                "DryRunReport", "ConfigurationDiagnostics", "ConfigurationFields", "LocatedJSON",
                "Concurrency",
            ]),
        layer(
            "Program", "PenstockCommand",
            [
                "StandardCatalogue", "DryRun", "PipelineRuntime", "PipelineConfiguration",
                "PipelineCore", "Logging", "Metrics", "AdminHTTP", "ConversionReports",
                "ReportService", "Identity",
                "GRPCTransport", "ReportMessages", "AdminMessages", "Protobuf", "Ledger", "Files",
                "Calendar", "DryRunRendering", "DryRunReport", "CommandLineInterface",
                "ConfigurationDiagnostics", "ConfigurationFields", "LocatedJSON", "Concurrency",
            ]),
        .executableTarget(
            name: "penstock", dependencies: ["PenstockCommand"],
            path: "Sources/Program/penstock", swiftSettings: strict),

        layer(
            "Testing", "PipelineTesting",
            [
                "PipelineCore", "Batching", "Ledger", "Logging", "Calendar",
                "ConfigurationDiagnostics", "ConfigurationFields", "LocatedJSON", "Concurrency",
            ]),
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
        tests("Concurrency", ["Concurrency", "PipelineCore", "PipelineTesting"]),
        tests("LocatedJSON", ["LocatedJSON"], exclude: ["Corpus"]),
        tests(
            "ConfigurationDiagnostics",
            ["ConfigurationDiagnostics", "ConfigurationFields", "LocatedJSON"]),
        tests(
            "ConfigurationFields",
            ["ConfigurationFields", "ConfigurationDiagnostics", "LocatedJSON"]),
        tests(
            "CommandLineInterface",
            ["CommandLineInterface", "ConfigurationDiagnostics", "ConfigurationFields"]),
        tests("Tooling", ["Logging", "Metrics", "AdminHTTP", "Calendar"]),
        tests("Protobuf", ["Protobuf", "ReportMessages"], exclude: ["Foreign"]),
        tests("Identity", ["Identity"]),
        tests(
            "GRPCTransport", ["GRPCTransport", "Protobuf", "Concurrency", "Metrics"],
            exclude: ["Foreign"]),
        tests(
            "PipelineCore",
            [
                "PipelineCore", "PipelineTesting", "Calendar", "Concurrency", "Logging",
                "ConfigurationFields", "Metrics",
            ]),
        tests(
            "PipelineConfiguration",
            [
                "PipelineConfiguration", "PipelineCore", "ConfigurationDiagnostics",
                "ConfigurationFields", "LocatedJSON",
            ],
            exclude: ["Golden"]),
        tests(
            "Batching",
            [
                "Batching", "PipelineCore", "PipelineTesting", "ConfigurationDiagnostics",
                "ConfigurationFields", "LocatedJSON", "Concurrency",
            ],
            exclude: ["Foreign", "Transcripts"]),
        tests(
            "PipelineRuntime",
            [
                "PipelineRuntime", "PipelineCore", "PipelineTesting", "Batching", "Logging",
                "Calendar", "ConfigurationFields", "Concurrency",
            ]),
        tests(
            "Ledger",
            [
                "Ledger", "PostgresLedger", "SQLiteLedger", "Postgres", "SQLite", "Batching",
                "PipelineCore", "PipelineTesting", "Concurrency",
            ]),
        tests("Kafka", ["Kafka", "PipelineCore", "PipelineTesting", "Concurrency", "Metrics"]),
        tests("Postgres", ["Postgres", "PipelineCore", "Concurrency", "Metrics"]),
        tests("Redis", ["Redis", "PipelineCore", "PipelineTesting", "Calendar", "Metrics"]),
        tests(
            "Webhook", ["Webhook", "PipelineCore", "PipelineTesting", "Concurrency", "Metrics"]),
        tests("Memory", ["Memory", "PipelineCore", "PipelineTesting"]),
        tests("SQLite", ["SQLite", "PipelineCore", "PipelineTesting", "Metrics", "Concurrency"]),
        tests("Files", ["Files", "Stages", "Logging", "PipelineCore", "PipelineTesting"]),
        tests(
            "Stages",
            [
                "Stages", "PipelineCore", "PipelineTesting", "Batching", "Logging",
                "ConfigurationFields", "LocatedJSON", "Concurrency", "Memory",
            ]),
        tests(
            "ConversionReports",
            [
                "ConversionReports", "ReportService", "ReportMessages", "Protobuf", "Postgres",
                "SQLite", "PipelineCore", "PipelineTesting", "Logging", "Concurrency",
            ]),
        tests(
            "ReportService",
            [
                "ReportService", "ReportMessages", "GRPCTransport", "Protobuf", "PipelineCore",
                "PipelineTesting", "Logging", "Concurrency", "Metrics", "Identity",
            ]),
        tests(
            "Simulation",
            [
                "PipelineSimulation", "PipelineRuntime", "PipelineConfiguration", "PipelineCore",
                "Logging", "Stages", "Ledger", "SQLiteLedger", "SQLite", "Calendar",
                "ConfigurationFields", "ConfigurationDiagnostics", "Concurrency",
            ]),
        tests(
            "DryRun",
            [
                "DryRun", "PipelineConfiguration", "PipelineRuntime", "StandardCatalogue",
                "PipelineCore", "PipelineTesting", "Logging", "Calendar", "DryRunRendering",
                "DryRunReport", "ConfigurationDiagnostics",
                "ConfigurationFields", "LocatedJSON", "Concurrency",
            ], exclude: ["Golden", "Foreign"]),
        tests(
            "PenstockCommand",
            [
                "PenstockCommand", "StandardCatalogue", "PipelineTesting", "PipelineCore",
                "PipelineConfiguration", "DryRunReport", "CommandLineInterface",
                "ConfigurationDiagnostics", "ConfigurationFields", "LocatedJSON", "AdminHTTP",
                "Concurrency", "Logging", "Metrics", "PipelineRuntime", "GRPCTransport",
            ], exclude: ["Golden"]),
    ]
)
