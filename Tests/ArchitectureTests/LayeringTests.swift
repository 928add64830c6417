import Testing

@Suite("Layers import only what they may")
struct LayeringTests {
    private let imports: [String: Set<String>]
    private static let cModules = [
        "CRdKafka", "CPostgres", "CHiredis", "CLibcrypto", "CGRPC",
        "CSQLite", "CMicrohttpd", "CThreads", "CCurl",
    ]
    private static let base: Set = ["Calendar", "Concurrency"]
    /// The settings of a pipeline and of a command, each on those before it.
    private static let configuration = [
        "LocatedJSON", "ConfigurationDiagnostics", "ConfigurationFields", "CommandLineInterface",
    ]
    private static let tooling = Set(configuration).union(["Logging", "Metrics", "AdminHTTP"])
    /// What a stage has settings with; command lines are for the program alone.
    private static let settings = Set(configuration.dropLast())
    private static let transport: Set = [
        "Protobuf", "ReportMessages", "AdminMessages", "GRPCTransport",
    ]
    private static let pipeline: Set = [
        "PipelineCore", "PipelineConfiguration", "Batching", "PipelineRuntime",
        "PipelineSimulation",
    ]
    private static let connectors: Set = [
        "Kafka", "Postgres", "Redis", "SQLite", "Memory", "Files", "Webhook",
    ]
    private static let ledgers: Set = ["Ledger", "PostgresLedger", "SQLiteLedger"]
    private static let reports: Set = ["ConversionReports", "ReportService"]
    private static let program: Set = [
        "StandardCatalogue", "DryRun", "DryRunReport", "DryRunRendering", "PenstockCommand",
    ]
    private static let ours = base.union(tooling).union(transport).union(pipeline).union(connectors)
        .union(ledgers).union(reports).union(program).union([
            "Stages", "PipelineTesting", "Identity",
        ])

    init() throws { imports = try SourceTree.sources().imports }

    /// What a target imports of ours; the base is everybody's.
    private func imported(by target: String) -> Set<String> {
        (imports[target] ?? []).intersection(Self.ours).subtracting(Self.base)
    }

    @Test("each C module has one importer", arguments: cModules)
    func oneImporter(of module: String) {
        let importers = imports.filter { $0.value.contains(module) }.keys
        #expect(importers.count == 1, "\(module) is imported by \(importers.sorted())")
    }

    @Test("OpenSSL has two importers: what speaks TLS with Redis, and what signs a webhook's calls")
    func importersOfOpenSSL() {
        let importers = imports.filter { $0.value.contains("COpenSSL") }.keys
        #expect(importers.sorted() == ["Redis", "Webhook"])
    }

    @Test("the base imports nothing of ours", arguments: base)
    func baseIsAlone(_ target: String) {
        #expect((imports[target] ?? []).isDisjoint(with: Self.ours))
    }

    @Test("tooling imports nothing of ours but the base", arguments: ["Logging", "Metrics"])
    func toolingIsAlone(_ target: String) {
        #expect(imported(by: target).isEmpty)
    }

    @Test("the admin endpoint serves metrics, and only the program has one")
    func adminEndpoint() {
        #expect(imported(by: "AdminHTTP") == ["Metrics"])
        for (target, modules) in imports where modules.contains("AdminHTTP") {
            #expect(Self.program.contains(target), "\(target) imports AdminHTTP")
        }
    }

    @Test("JSON, diagnostics, fields and command lines each stand on those before them")
    func configurationIsLayered() {
        for (index, target) in Self.configuration.enumerated() {
            #expect(imported(by: target).isSubset(of: Self.configuration[..<index]), "\(target)")
        }
    }

    @Test("only the program's parts know command lines")
    func commandLines() {
        for (target, modules) in imports where modules.contains("CommandLineInterface") {
            #expect(Self.program.contains(target), "\(target) imports CommandLineInterface")
        }
    }

    @Test("transport imports nothing of ours above it but metrics", arguments: transport)
    func transportIsBelow(_ target: String) {
        #expect(imported(by: target).isSubset(of: Self.transport.union(["Metrics"])))
    }

    @Test("who calls is told by credentials and their files, and by nothing else of ours")
    func identity() {
        #expect(imported(by: "Identity") == ["LocatedJSON"])
    }

    @Test("connectors import the core and tooling, never each other", arguments: connectors)
    func connectorsAreApart(_ target: String) {
        #expect(imported(by: target).isSubset(of: Self.tooling.union(["PipelineCore"])))
    }

    @Test("batching and the providers of ledgers do no I/O", arguments: ["Batching", "Ledger"])
    func pure(_ target: String) {
        let allowed = Self.base.union(Self.settings).union(["PipelineCore", "Batching"])
        #expect((imports[target] ?? []).isSubset(of: allowed))
    }

    @Test("the core knows tooling only")
    func core() {
        #expect(
            imported(by: "PipelineCore").isSubset(of: Self.settings.union(["Logging", "Metrics"])))
    }

    @Test("the runtime knows no stage, no ledger, no connector and no domain")
    func runtime() {
        #expect(imported(by: "PipelineRuntime").isSubset(of: Self.tooling.union(["PipelineCore"])))
    }

    @Test("stages know no connector, no transport and no domain")
    func stages() {
        let allowed = Self.settings.union(["PipelineCore", "Batching", "Ledger", "Logging"])
        #expect(imported(by: "Stages").isSubset(of: allowed))
    }

    @Test(
        "the report service reaches pipelines only through the core, and keeps answers in memory only"
    )
    func reportService() {
        let allowed = Self.transport.union([
            "Identity", "PipelineCore", "Logging", "Metrics", "Memory",
        ])
        #expect(imported(by: "ReportService").isSubset(of: allowed))
    }

    @Test(
        "a dry run can name no connector but SQLite, no stage and no domain, so that it opens nothing else"
    )
    func dryRun() {
        let allowed = Self.tooling.union(Self.pipeline).union([
            "Protobuf", "Ledger", "SQLite", "SQLiteLedger", "DryRunReport",
        ])
        #expect(imported(by: "DryRun").isSubset(of: allowed))
    }

    @Test(
        "a dry run's report is values and figures: it knows no runtime and no command line, and nothing that fills or renders it"
    )
    func dryRunReport() {
        let allowed = Self.settings.union(["PipelineCore"])
        #expect(imported(by: "DryRunReport").isSubset(of: allowed))
    }

    @Test("what renders a dry run's report knows nothing else of the dry run")
    func dryRunRendering() {
        let allowed = Self.settings.union(["DryRunReport", "PipelineCore"])
        #expect(imported(by: "DryRunRendering").isSubset(of: allowed))
    }

    @Test("only the catalogue and the command see connectors, stages and domain together")
    func catalogue() {
        for (target, modules) in imports {
            let seesAll =
                !modules.isDisjoint(with: Self.connectors) && modules.contains("Stages")
                && !modules.isDisjoint(with: Self.reports)
            #expect(!seesAll || Self.program.contains(target), "\(target) sees too much")
        }
    }
}
