internal import Concurrency
internal import CRdKafka
internal import Glibc
internal import PipelineCore

/// Owns an `rd_kafka_t`.
///
/// Sendable because librdkafka's handles are
/// [thread-safe](https://github.com/confluentinc/librdkafka/blob/master/INTRODUCTION.md)
/// and the pointer never changes.
@safe final class KafkaClient: @unchecked Sendable {
    static var libraryVersion: String { unsafe String(cString: rd_kafka_version_str()) }

    private let handle: OpaquePointer
    private let isConsumer: Bool
    /// What the handle's callbacks reach; lives as long as the handle.
    let events: ClientEvents

    init(
        _ type: rd_kafka_type_t, _ configuration: consuming ClientConfiguration,
        _ events: ClientEvents
    ) throws(PipelineError) {
        var configuration = configuration
        unsafe configuration.withConf { unsafe events.install(on: $0, type) }
        self.events = events
        isConsumer = type == RD_KAFKA_CONSUMER
        unsafe handle = try configuration.makeClient(type)
        if type == RD_KAFKA_PRODUCER { unsafe Self.serveInBackground(handle) }
        if type == RD_KAFKA_CONSUMER { unsafe rd_kafka_poll_set_consumer(handle) }
    }

    /// Destroying waits for librdkafka's threads, so it gets a thread of its own. The group is not
    /// left: that is what closing a consumer is for.
    deinit {
        let last = unsafe Remains(handle: handle, events: events)
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
    /// handle stays to the process's end.
    private var abortsWhenDestroyed: Bool {
        isConsumer && rd_kafka_version() < 0x0203_00ff && !events.rebalances.hasBegun
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

/// What is left of a client while it is being destroyed: callbacks may come until the end.
@safe private final class Remains: @unchecked Sendable {
    let handle: OpaquePointer
    let events: ClientEvents
    init(handle: OpaquePointer, events: ClientEvents) {
        unsafe self.handle = unsafe handle
        self.events = events
    }
}
