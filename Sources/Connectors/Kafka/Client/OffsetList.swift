internal import CRdKafka
internal import PipelineCore

/// Owns an `rd_kafka_topic_partition_list_t` of one topic.
@safe struct OffsetList: ~Copyable {
    private let list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    init(_ topic: String, _ offsets: [Int32: Int64]) {
        unsafe list = rd_kafka_topic_partition_list_new(Int32(offsets.count))
        for (partition, offset) in offsets {
            unsafe rd_kafka_topic_partition_list_add(list, topic, partition).pointee.offset = offset
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
