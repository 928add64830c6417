// The parts of `deploy/bench ingest` that need Penstock's own code.
//
//   ingest-benchmark preload KAFKA-URL TOPIC RECORDS           fills a topic ingest-benchmark
//   ledger POSTGRES-URL RECORDS CONNECTIONS   the ledger's accept alone ingest-benchmark watch
//   POSTGRES-URL RECORDS                the rate of a running pipeline's stored positions
//
// The last two print {"rate": …}, in records a second between 10 % and 90 %.
internal import Glibc
internal import Kafka
internal import PipelineCore
internal import Postgres

func address(_ text: String) throws -> ResourceAddress {
    guard let address = ResourceAddress(url: text) else {
        throw PipelineError.fatal(.invalidURL, "\(text) is no URL")
    }
    return address
}

func count(_ text: String) throws -> Int {
    guard let count = Int(text), count > 0 else {
        throw PipelineError.fatal(.invalidArgument, "\(text) is no count")
    }
    return count
}

func run(_ words: [String]) async throws {
    switch (words.first, words.count) {
    case ("preload", 4):
        try await Preload(
            bus: KafkaBus(address(words[1])), topic: words[2], records: count(words[3])
        ).run()
    case ("ledger", 4):
        let load = try LedgerLoad(
            pool: PostgresPool(address(words[1])), records: count(words[2]),
            connections: count(words[3]))
        print("{\"rate\": \(try await load.run())}")
    case ("watch", 3):
        let watch = try PositionWatch(
            pool: PostgresPool(address(words[1])), records: count(words[2]))
        print("{\"rate\": \(try await watch.run())}")
    default:
        print("usage: ingest-benchmark preload|ledger|watch …")
        exit(64)
    }
}

do { try await run(Array(CommandLine.arguments.dropFirst())) } catch {
    print("ingest-benchmark: \(error)")
    exit(1)
}
