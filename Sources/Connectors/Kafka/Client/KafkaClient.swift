internal import CRdKafka
internal import Concurrency
internal import Glibc
internal import PipelineCore
internal import Synchronization

/// Owns an `rd_kafka_t`.
///
/// Sendable because librdkafka's handles are
/// [thread-safe](https://github.com/confluentinc/librdkafka/blob/master/INTRODUCTION.md)
/// and the pointer never changes.
@safe final class KafkaClient: @unchecked Sendable {
    static var libraryVersion: String { unsafe String(cString: rd_kafka_version_str()) }

    private let handle: OpaquePointer
    /// Set by whoever takes part in a group.
    let isMember = Atomic(false)
    /// What the handle's callbacks reach; lives as long as the handle.
    let events: ClientEvents

    init(
        _ type: rd_kafka_type_t, _ configuration: consuming ClientConfiguration,
        _ events: ClientEvents
    ) throws(PipelineError) {
        var configuration = configuration
        unsafe configuration.withConf { unsafe events.install(on: $0, type) }
        self.events = events
        do throws(PipelineError) {
            unsafe handle = try configuration.makeClient(type)
        } catch {
            // A certificate that was there before may come back.
            throw events.faults.judged(error)
        }
        if type == RD_KAFKA_PRODUCER { unsafe Self.serveInBackground(handle) }
        if type == RD_KAFKA_CONSUMER { unsafe rd_kafka_poll_set_consumer(handle) }
    }

    /// Destroying waits for librdkafka's threads, so it gets a thread of its own. The group is not
    /// left: that is what closing a consumer is for.
    deinit {
        let last = unsafe ClosingClient(handle: handle, events: events)
        // Kept until the handle is destroyed, or to the process's end: its callbacks may still
        // come.
        let kept = unsafe Unmanaged.passRetained(last)
        if abortsWhenDestroyed { return }
        do {
            _ = try NativeThread(name: "kafka-destroy") {
                unsafe rd_kafka_destroy_flags(last.handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
                unsafe kept.release()
            }
        } catch {
            events.note(4, "DESTROY", "a client stays to the process's end: \(error)")
        }
    }

    /// librdkafka before 2.3.0 aborts the process when a member of a group is destroyed before its
    /// first assignment ([#4312](https://github.com/confluentinc/librdkafka/issues/4312)): such a
    /// handle stays to the process's end. Those that have never joined can go: who only asks for
    /// metadata, say.
    private var abortsWhenDestroyed: Bool {
        isMember.load(ordering: .acquiring) && rd_kafka_version() < 0x0203_00ff
            && !events.rebalances.hasBegun
    }

    func withHandle<T>(_ body: (OpaquePointer) throws -> T) rethrows -> T {
        try unsafe body(handle)
    }

    /// Lets librdkafka's background thread hand out a producer's events, as they come.
    private static func serveInBackground(_ handle: OpaquePointer) {
        let main = unsafe rd_kafka_queue_get_main(handle)
        let background = unsafe rd_kafka_queue_get_background(handle)
        unsafe rd_kafka_queue_forward(main, background)
        unsafe rd_kafka_queue_destroy(main)
        unsafe rd_kafka_queue_destroy(background)
    }
}

/// A client while it is being destroyed: callbacks may come until the end.
@safe private final class ClosingClient: @unchecked Sendable {
    let handle: OpaquePointer
    let events: ClientEvents
    init(handle: OpaquePointer, events: ClientEvents) {
        unsafe self.handle = unsafe handle
        self.events = events
    }
}

/// Owns an `rd_kafka_conf_t` until a client takes it.
@safe struct ClientConfiguration: ~Copyable {
    /// `nil` once a client has it.
    private var conf: OpaquePointer?
    /// Values that are struck out of librdkafka's messages.
    private let secrets: [String]

    init(secrets: [String]) {
        unsafe conf = rd_kafka_conf_new()
        self.secrets = secrets
    }

    deinit {
        if let conf = unsafe conf { unsafe rd_kafka_conf_destroy(conf) }
    }

    /// - Throws: ``PipelineCore/PipelineError``, fatal: `unknown-property`, `invalid-property`.
    mutating func set(_ name: String, _ value: String) throws(PipelineError) {
        var text = ErrorText()
        let result = unsafe text.withBuffer { unsafe rd_kafka_conf_set(conf, name, value, $0, $1) }
        switch result {
        case RD_KAFKA_CONF_OK: return
        case RD_KAFKA_CONF_UNKNOWN: throw unknown(name)
        default:
            let reason =
                SecretProperties.contains(name) ? "its value is refused" : redacted(text.string)
            throw .fatal(.invalidProperty, "Kafka property \"\(name)\": \(reason)")
        }
    }

    /// Lends the configuration, to install callbacks.
    mutating func withConf(_ body: (OpaquePointer) -> Void) {
        if let conf = unsafe conf { unsafe body(conf) }
    }

    /// Makes the client. It takes the configuration over only when it succeeds.
    /// - Throws: ``PipelineCore/PipelineError`` `bus-unusable` (fatal).
    mutating func makeClient(_ type: rd_kafka_type_t) throws(PipelineError) -> OpaquePointer {
        var text = ErrorText()
        let handle = unsafe text.withBuffer { unsafe rd_kafka_new(type, conf, $0, $1) }
        guard let handle = unsafe handle else {
            throw .fatal(
                .busUnusable, "Kafka's client can't be made: \(redacted(text.string))")
        }
        unsafe conf = nil
        return unsafe handle
    }

    private func unknown(_ name: String) -> PipelineError {
        let version = KafkaClient.libraryVersion
        if let first = PropertyCatalogue.version(introducing: name) {
            return .fatal(
                .unknownProperty,
                "Kafka property \"\(name)\" needs librdkafka \(first) or later; this is \(version)")
        }
        return .fatal(
            .unknownProperty,
            "librdkafka \(version) has no property \"\(name)\"; see its CONFIGURATION.md")
    }

    private func redacted(_ message: String) -> String {
        secrets.reduce(message) { text, secret in
            var parts: [Substring] = []
            var rest = text[...]
            while let range = rest.firstRange(of: secret) {
                parts.append(rest[..<range.lowerBound])
                rest = rest[range.upperBound...]
            }
            return parts.isEmpty ? text : (parts + [rest]).joined(separator: "***")
        }
    }
}

/// The buffer that librdkafka writes its reasons into.
struct ErrorText {
    private var bytes = [CChar](repeating: 0, count: 512)

    mutating func withBuffer<T>(_ body: (UnsafeMutablePointer<CChar>, Int) -> T) -> T {
        unsafe bytes.withUnsafeMutableBufferPointer { unsafe body($0.baseAddress!, $0.count) }
    }
    var string: String {
        String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
