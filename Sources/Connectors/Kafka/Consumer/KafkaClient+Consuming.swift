internal import CRdKafka
internal import Glibc
internal import PipelineCore
internal import Synchronization

/// The blocking calls of a consumer: for worker threads only.
extension KafkaClient {
    func subscribe(to topic: String) throws(PipelineError) {
        let list = OffsetList(topic, partitions: [RD_KAFKA_PARTITION_UA])
        isMember.store(true, ordering: .releasing)
        let code = unsafe withHandle { handle in
            unsafe list.withList { unsafe rd_kafka_subscribe(handle, $0) }
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw .kafka(code, "subscribing to \(topic)")
        }
    }

    /// The first offset that a partition still has, and the one that its next record will get.
    func watermarks(
        of topic: String, _ partitions: [Int32], timeoutMilliseconds: Int32
    ) throws(PipelineError) -> [Int32: Range<Int64>] {
        var ranges: [Int32: Range<Int64>] = [:]
        for partition in partitions {
            var low: Int64 = 0
            var high: Int64 = 0
            let code = Self.untilLed {
                unsafe withHandle { handle in
                    unsafe rd_kafka_query_watermark_offsets(
                        handle, topic, partition, &low, &high, timeoutMilliseconds)
                }
            }
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
                throw .kafka(
                    code, "asking for the offsets of \(topic)[\(partition)]",
                    events.faults.lastReason)
            }
            ranges[partition] = low..<max(low, high)
        }
        return ranges
    }

    /// The offset that the partition's next record will get, as far as is known without asking;
    /// not blocking.
    func knownEnd(of topic: String, _ partition: Int32) -> Int64? {
        var low: Int64 = 0
        var high: Int64 = 0
        let code = unsafe withHandle { handle in
            unsafe rd_kafka_get_watermark_offsets(handle, topic, partition, &low, &high)
        }
        return code == RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0 ? high : nil
    }

    /// Asks again, for a second, while the partition has no leader: a new one gets it a moment
    /// after it is shown.
    private static func untilLed(
        _ ask: () -> rd_kafka_resp_err_t
    ) -> rd_kafka_resp_err_t {
        for _ in 0..<20 {
            let code = ask()
            switch code {
            case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
                usleep(50_000)
            default: return code
            }
        }
        return ask()
    }

    /// The group's committed offsets, with the witnesses beside them; partitions without one are
    /// missing.
    func committed(
        of topic: String, _ partitions: [Int32], timeoutMilliseconds: Int32
    ) throws(PipelineError) -> (offsets: [Int32: Int64], witnesses: [Int32: LogWitness]) {
        let list = OffsetList(topic, partitions: partitions)
        let doing = "asking for the group's offsets of \(topic)"
        let code = unsafe withHandle { handle in
            unsafe list.withList { unsafe rd_kafka_committed(handle, $0, timeoutMilliseconds) }
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw .kafka(code, doing, events.faults.lastReason)
        }
        try list.check(doing)
        let offsets = list.offsets.filter { $0.value >= 0 }
        return (offsets, list.witnesses.filter { offsets[$0.key] != nil })
    }

    func assign(_ topic: String, _ offsets: [Int32: Int64]) throws(PipelineError) {
        let list = OffsetList(topic, offsets)
        let error = unsafe withHandle { handle in
            unsafe list.withList { unsafe rd_kafka_incremental_assign(handle, $0) }
        }
        if let error = unsafe error { throw unsafe .kafka(consuming: error, "assigning \(topic)") }
    }

    func unassign(_ topic: String, _ partitions: [Int32]) throws(PipelineError) {
        let list = OffsetList(topic, partitions: partitions)
        let error = unsafe withHandle { handle in
            unsafe list.withList { unsafe rd_kafka_incremental_unassign(handle, $0) }
        }
        if let error = unsafe error { throw unsafe .kafka(consuming: error, "leaving \(topic)") }
    }

    /// Reads on from other offsets; what was fetched of these partitions is dropped by librdkafka.
    func seek(
        _ topic: String, _ offsets: [Int32: Int64], timeoutMilliseconds: Int32
    ) throws(PipelineError) {
        let list = OffsetList(topic, offsets)
        let error = unsafe withHandle { handle in
            unsafe list.withList {
                unsafe rd_kafka_seek_partitions(handle, $0, timeoutMilliseconds)
            }
        }
        let doing = "reading \(topic) from its stored positions"
        if let error = unsafe error { throw unsafe .kafka(consuming: error, doing) }
        try list.check(doing)
    }

    /// Stops or resumes fetching. Partitions that are not assigned are passed over.
    func setFetching(_ topic: String, _ partitions: [Int32], _ fetches: Bool) {
        let list = OffsetList(topic, partitions: partitions)
        unsafe withHandle { handle in
            unsafe list.withList {
                unsafe _ =
                    fetches
                    ? rd_kafka_resume_partitions(handle, $0)
                    : rd_kafka_pause_partitions(handle, $0)
            }
        }
    }

    /// Commits and waits for the answer.
    ///
    /// - Parameter witnesses: what is to be kept beside the offsets; nothing without it.
    func commit(
        _ topic: String, _ offsets: [Int32: Int64], witnesses: [Int32: LogWitness] = [:],
        timeoutMilliseconds: Int32
    ) throws(PipelineError) {
        let list = OffsetList(topic, offsets, witnesses: witnesses)
        let doing = "committing offsets of \(topic)"
        let code = unsafe withHandle { handle in
            let queue = unsafe rd_kafka_queue_new(handle)
            defer { unsafe rd_kafka_queue_destroy(queue) }
            let begun = unsafe list.withList {
                unsafe rd_kafka_commit_queue(handle, $0, queue, nil, nil)
            }
            guard begun == RD_KAFKA_RESP_ERR_NO_ERROR else { return begun }
            guard let event = unsafe rd_kafka_queue_poll(queue, timeoutMilliseconds) else {
                return RD_KAFKA_RESP_ERR__TIMED_OUT
            }
            defer { unsafe rd_kafka_event_destroy(event) }
            return unsafe rd_kafka_event_error(event)
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw .kafka(code, doing) }
    }

    /// Hands a commit over without waiting. Not blocking.
    func commitLater(_ topic: String, _ offsets: [Int32: Int64]) {
        let list = OffsetList(topic, offsets)
        unsafe withHandle { handle in
            unsafe list.withList { unsafe _ = rd_kafka_commit(handle, $0, 1) }
        }
    }

    /// Leaves the group, after what was handed over has been committed; gives up at the deadline,
    /// when brokers don't answer: the group then notices by its session's expiry.
    func closeConsumer(within limit: Duration) {
        let deadline = ContinuousClock.now.advanced(by: limit)
        unsafe withHandle { handle in
            let queue = unsafe rd_kafka_queue_new(handle)
            defer { unsafe rd_kafka_queue_destroy(queue) }
            if let error = unsafe rd_kafka_consumer_close_queue(handle, queue) {
                return unsafe rd_kafka_error_destroy(error)
            }
            while unsafe rd_kafka_consumer_closed(handle) == 0 && ContinuousClock.now < deadline {
                // Serves the group's callbacks; what is still fetched is dropped.
                var message: UnsafeMutablePointer<rd_kafka_message_t>?
                if unsafe rd_kafka_consume_batch_queue(queue, 100, &message, 1) > 0 {
                    unsafe rd_kafka_message_destroy(message)
                }
            }
        }
    }
}

/// Owns an `rd_kafka_topic_partition_list_t` of one topic.
@safe struct OffsetList: ~Copyable {
    private let list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    /// - Parameter witnesses: go along as the offsets' metadata, which the group keeps beside them.
    init(
        _ topic: String, _ offsets: [Int32: Int64], witnesses: [Int32: LogWitness] = [:]
    ) {
        unsafe list = rd_kafka_topic_partition_list_new(Int32(offsets.count))
        for (partition, offset) in offsets {
            let entry = unsafe rd_kafka_topic_partition_list_add(list, topic, partition)
            unsafe entry?.pointee.offset = offset
            guard let note = witnesses[partition]?.note else { continue }
            // The list frees it.
            unsafe entry?.pointee.metadata = UnsafeMutableRawPointer(strdup(note))
            unsafe entry?.pointee.metadata_size = note.utf8.count
        }
    }

    /// Without offsets: to name partitions, or with partition −1 a whole topic.
    init(_ topic: String, partitions: [Int32]) {
        let unset = Int64(RD_KAFKA_OFFSET_INVALID)
        self.init(topic, Dictionary(partitions.map { ($0, unset) }) { first, _ in first })
    }

    deinit { unsafe rd_kafka_topic_partition_list_destroy(list) }

    borrowing func withList<T>(
        _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) throws -> T
    ) rethrows -> T { try unsafe body(list) }

    /// What librdkafka has written into the list.
    var offsets: [Int32: Int64] {
        var offsets: [Int32: Int64] = [:]
        unsafe Self.forEach(list) { unsafe offsets[$0.partition] = $0.offset }
        return offsets
    }

    /// Those that a group has kept beside its offsets.
    var witnesses: [Int32: LogWitness] {
        var witnesses: [Int32: LogWitness] = [:]
        unsafe Self.forEach(list) { entry in
            guard let metadata = unsafe entry.metadata else { return }
            let bytes = unsafe UnsafeRawBufferPointer(start: metadata, count: entry.metadata_size)
            unsafe witnesses[entry.partition] = LogWitness(
                note: unsafe String(decoding: bytes, as: UTF8.self))
        }
        return witnesses
    }

    /// The first partition that librdkafka has marked as failed.
    /// - Throws: ``PipelineCore/PipelineError``.
    func check(_ doing: String) throws(PipelineError) {
        var failure: PipelineError?
        unsafe Self.forEach(list) { entry in
            if unsafe failure == nil && entry.err != RD_KAFKA_RESP_ERR_NO_ERROR {
                failure = unsafe .kafka(entry.err, "\(doing), partition \(entry.partition)")
            }
        }
        if let failure { throw failure }
    }

    static func partitions(
        of list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>
    ) -> [Int32] {
        var partitions: [Int32] = []
        unsafe forEach(list) { unsafe partitions.append($0.partition) }
        return partitions
    }

    private static func forEach(
        _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>,
        _ body: (rd_kafka_topic_partition_t) -> Void
    ) {
        for index in 0..<Int(unsafe list.pointee.cnt) { unsafe body(list.pointee.elems[index]) }
    }
}

extension LogWitness {
    private static let noteBegins = "penstock:1"

    /// As it stands in the metadata of a committed offset: `penstock:1:OFFSET:DIGEST`.
    var note: String { "\(Self.noteBegins):\(offset):\(String(digest, radix: 16))" }

    /// `nil` for what somebody else has written there.
    init?(note: String) {
        let parts = note.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0...1].joined(separator: ":") == Self.noteBegins,
            let offset = Int64(parts[2]), offset >= 0, let digest = UInt64(parts[3], radix: 16)
        else { return nil }
        self.init(offset: offset, digest: digest)
    }
}
