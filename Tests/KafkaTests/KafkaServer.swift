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
        var properties = properties
        if unsafe getenv("KDEBUG") != nil { properties["debug"] = "cgrp,consumer,topic" }
        return try KafkaBus(address(properties)) { print($0.severity, $0.facility, $0.message) }
    }

    /// A name that nobody else uses.
    static func uniqueTopic(_ purpose: String) -> String { "\(purpose)-\(RandomSource().uuid())" }
}
