internal import CommandLineInterface
internal import ConfigurationFields
internal import ConversionReports
internal import Files
internal import LocatedJSON
internal import Logging
internal import PipelineCore
internal import StandardCatalogue

struct SampleDataOptions: Settings {
    static let summary =
        "Writes made-up products, views and payments into the store that PENSTOCK_STORE names."
    let products: Int
    let days: Int
    let viewsPerDay: Int
    let paymentsPerDay: Int
    let seed: Int
    let emit: String?
    let store: String?

    init(_ field: Fields) {
        products = field(
            "products", "How many products there are.", default: 1000, in: 1...1_000_000)
        days = field(
            "days", "How many days of events, up to the last midnight (UTC).", default: 30,
            in: 1...3650)
        viewsPerDay = field(
            "views_per_day", "Views a day, over all products.", default: 10_000, in: 0...100_000_000
        )
        paymentsPerDay = field(
            "payments_per_day", "Payments a day, over all products.", default: 300,
            in: 0...100_000_000)
        seed = field("seed", "The same seed makes the same events.", default: 1)
        emit = field.optional(
            "emit", "Also writes the very events as JSON lines, so that anyone can count them.",
            example: "events.jsonl")
        store = field.optional(
            "store", "The store; PENSTOCK_STORE otherwise, or the embedded default.",
            example: "embedded:data/penstock.sqlite")
    }
}

extension PenstockCommand {
    static func sampleData(_ catalogue: Catalogue) -> Command {
        Command(
            "sample-data", SampleDataOptions.self,
            details: "Every call appends: the same data loaded twice counts twice.",
            examples: [
                .init("", "A month of a small shop."),
                .init("--days 3 --emit events.jsonl", "And a copy of the events to count."),
            ]
        ) { options, console in
            let loader = SampleDataLoading(
                options: options, catalogue: catalogue, console: console)
            do { try await loader.run() } catch let error as PipelineError {
                throw CommandFailure(error.exitCode, error.description)
            }
            return .success
        }
    }
}

/// Loads and tells how far it is.
private struct SampleDataLoading {
    let options: SampleDataOptions
    let catalogue: Catalogue
    let console: Console

    func run() async throws {
        let address = try StandardStoreAddress.of(options.store)
        var resources = OpenResources(
            catalogue: catalogue,
            context: ResourceContext(
                clock: .system, random: RandomSource(),
                logger: Logger(label: "penstock", level: .warning), isRunning: false))
        let store = try resources.openStore(address)
        try await store.migrate()
        let file = options.emit.map { LineFile(path: $0) }
        let console = console
        var loader = SampleLoader(store: store.reports)
        loader.progress = { progress in
            guard console.isTerminal else { return }
            let percent = progress.events * 100 / max(progress.total, 1)
            console.err("\r\(progress.events) of \(progress.total) events (\(percent) %)")
        }
        if let file { loader.emit = { lines in try await file.append(lines: lines) } }
        try await loader.load(data)
        if console.isTerminal { console.err("\n") }
        console.err("\(data.eventCount) events in \(address)\n")
        await file?.close()
        await resources.close()
    }

    /// Days up to the last midnight: the events of a seed are the same all day long.
    private var data: SampleData {
        let day: Int64 = 86_400_000_000
        let today = PipelineClock.system.timestamp.microseconds / day * day
        return SampleData(
            seed: UInt64(bitPattern: Int64(options.seed)), products: options.products,
            start: Timestamp(microseconds: today - Int64(options.days) * day), days: options.days,
            viewsPerDay: options.viewsPerDay, paymentsPerDay: options.paymentsPerDay)
    }
}
