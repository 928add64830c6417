internal import Glibc
internal import Kafka
internal import PipelineCore

/// The real broker that `PENSTOCK_TEST_KAFKA` (host:port) names.
enum KafkaServer {
    struct Missing: Error, CustomStringConvertible {
        let description = "PENSTOCK_TEST_KAFKA is not set; start one with deploy/test-servers"
    }

    /// - Throws: ``Missing``: a test that can't find its server fails.
    static func address(_ properties: [String: String] = [:]) throws -> ResourceAddress {
        guard let value = unsafe getenv("PENSTOCK_TEST_KAFKA") else { throw Missing() }
        let place = unsafe String(cString: value)
        return ResourceAddress(url: "kafka://\(place)", properties: properties)!
    }

    static func bus(_ properties: [String: String] = [:]) throws -> KafkaBus {
        try KafkaBus(address(properties))
    }

    /// A name that nobody else uses.
    static func uniqueTopic(_ purpose: String) -> String { "\(purpose)-\(RandomSource().uuid())" }
}

/// The error that `body` throws; `nil` when it succeeds.
func failure(of body: () async throws -> Void) async -> PipelineError? {
    do { try await body() } catch { return error as? PipelineError }
    return nil
}

/// Records whose payloads are their numbers.
func numbered(_ range: Range<Int>, padding: Int = 0) -> [OutgoingRecord] {
    range.map { number in
        var payload = Array("\(number)".utf8)
        payload += Array(repeating: UInt8(ascii: " "), count: padding)
        return OutgoingRecord(key: Array("key \(number % 64)".utf8)[...], payload: payload[...])
    }
}

extension Record {
    var number: Int { Int(String(decoding: payload.prefix { $0 != 32 }, as: UTF8.self)) ?? -1 }
}
