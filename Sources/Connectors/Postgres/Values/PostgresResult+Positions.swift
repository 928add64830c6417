public import PipelineCore

extension PostgresResult {
    /// Rows of `source, partition, next_offset, witness_offset, witness_digest`, all of the log that has the name now.
    ///
    /// - Parameter wanted: the partitions to tell about.
    public func positions(of log: LogName, wanted: [Int32: Int64]) -> StoredPositions {
        var stored = StoredPositions(source: rowCount == 0 ? log.key : text(0, 0))
        for row in 0..<rowCount {
            let partition = Int32(int64(row, 1))
            stored.partitions.insert(partition)
            guard wanted[partition] != nil else { continue }
            stored.next[partition] = int64(row, 2)
            if isNull(row, 3) { continue }
            stored.witnesses[partition] = LogWitness(
                offset: int64(row, 3), digest: UInt64(bitPattern: int64(row, 4)))
        }
        return stored
    }
}
