internal import CRdKafka
internal import Glibc
internal import PipelineCore

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
