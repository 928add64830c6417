import PipelineCore
import Testing

@Suite("What tells a log from another one")
struct LogContinuityTests {
    private func witness(_ offset: Int64, _ digest: UInt64 = 1) -> LogWitness {
        LogWitness(offset: offset, digest: digest)
    }

    @Test("a record that was read becomes a witness only after a look has found the one before")
    func looks() {
        var continuity = LogContinuity()
        continuity.start(0, witness: witness(9))
        continuity.note(first: witness(10), last: witness(20), of: 0)
        #expect(continuity.proven == [0: witness(9)])
        #expect(continuity.unkept.isEmpty)
        let read = continuity.latest
        continuity.note(first: witness(21), last: witness(30), of: 0)
        continuity.looked(read)
        #expect(continuity.proven == [0: witness(20)])
        #expect(continuity.unkept == [0: witness(20)])
        #expect(continuity.hasNews)
        continuity.kept(continuity.unkept)
        #expect(continuity.unkept.isEmpty)
        continuity.looked(continuity.latest)
        #expect(continuity.proven == [0: witness(30)])
        #expect(!continuity.hasNews)
    }

    @Test("the first record stands for a log that nothing else was known of")
    func first() {
        var continuity = LogContinuity()
        continuity.start(0, witness: nil)
        #expect(continuity.proven.isEmpty)
        continuity.note(first: witness(0), last: witness(7), of: 0)
        #expect(continuity.proven == [0: witness(0)])
        #expect(continuity.unkept == [0: witness(0)])
        continuity.note(first: witness(8), last: witness(9), of: 1)
        continuity.looked([1: witness(9)])
        #expect(continuity.proven.keys.sorted() == [0])
    }

    @Test("what was kept while something newer came is not taken for that")
    func keeping() {
        var continuity = LogContinuity()
        continuity.start(0, witness: witness(1))
        continuity.note(first: witness(2), last: witness(3), of: 0)
        continuity.looked(continuity.latest)
        let keeping = continuity.unkept
        continuity.note(first: witness(4), last: witness(5), of: 0)
        continuity.looked(continuity.latest)
        continuity.kept(keeping)
        #expect(continuity.unkept == [0: witness(5)])
    }

    @Test("offsets alone tell when the log ends before what was read")
    func ends() {
        func contradiction(
            _ position: Int64, _ seen: LogWitness?, _ range: Range<Int64>
        ) -> LogContradiction? {
            LogContradiction(partition: 3, position: position, witness: seen, range: range)
        }
        #expect(
            contradiction(450, witness(449), 0..<101)
                == .beyondEnd(partition: 3, position: 450, end: 101))
        #expect(contradiction(450, witness(449), 0..<450) == nil)
        #expect(contradiction(450, witness(449), 500..<600) == nil)
        // A witness may lie ahead of a position that has not settled yet.
        #expect(
            contradiction(10, witness(449), 0..<101)
                == .beyondEnd(partition: 3, position: 450, end: 101))
        #expect(contradiction(0, nil, 0..<0) == nil)
    }

    @Test("another record in the witness's place tells, none or a later one does not")
    func records() {
        func contradiction(_ sighting: LogSighting?) -> LogContradiction? {
            LogContradiction(partition: 0, witness: witness(9, 1), sighting: sighting)
        }
        #expect(contradiction(.record(witness(9, 1))) == nil)
        #expect(
            contradiction(.record(witness(9, 2)))
                == .otherRecord(partition: 0, wanted: witness(9, 1), found: witness(9, 2)))
        #expect(contradiction(.record(witness(10, 2))) == nil)
        #expect(contradiction(.end) == nil)
        #expect(contradiction(nil) == nil)
    }

    @Test("nothing takes partitions away from a topic, much adds some")
    func partitions() {
        #expect(
            LogContradiction(stored: [0, 4], found: 4) == .fewerPartitions(stored: 5, found: 4))
        #expect(LogContradiction(stored: [0, 4], found: 5) == nil)
        #expect(LogContradiction(stored: [], found: 1) == nil)
    }

    @Test("records differ by their time, by their key, by having one, and by their content")
    func digests() {
        let digests = [
            LogWitness(offset: 1, timestamp: 5, key: nil, payload: [1, 2]),
            LogWitness(offset: 1, timestamp: 6, key: nil, payload: [1, 2]),
            LogWitness(offset: 1, timestamp: 5, key: [], payload: [1, 2]),
            LogWitness(offset: 1, timestamp: 5, key: [1], payload: [2]),
            LogWitness(offset: 1, timestamp: 5, key: [2], payload: [1]),
        ]
        #expect(Set(digests).count == digests.count)
        // Stored by one version, compared by the next.
        #expect(
            LogWitness(offset: 1, timestamp: 5, key: [1], payload: [2]).digest
                == digests[3].digest)
    }
}

@Suite("What a log holds")
struct LogExtentTests {
    private let extent = LogExtent(
        log: LogName("kafka:abc/requests"), ranges: [0: 2..<5, 1: 7..<7, 2: 0..<0])

    @Test("can be read from its first record to its end", arguments: [2, 3, 5] as [Int64])
    func readable(offset: Int64) {
        #expect(extent.objection(to: offset, in: 0) == nil)
        #expect(extent.objection(to: 7, in: 1) == nil)
        #expect(extent.objection(to: 0, in: 2) == nil)
    }

    @Test("says what there is instead")
    func unreadable() {
        #expect(
            extent.objection(to: 6, in: 0)
                == "partition 0 of kafka:abc/requests holds the offsets 2 to 4, and ends at 5: 6 lies beyond that"
        )
        #expect(
            extent.objection(to: 1, in: 0)?.hasSuffix(
                ": 1 lies before that, and what was there is gone") == true)
        #expect(
            extent.objection(to: 6, in: 1)
                == "partition 1 of kafka:abc/requests holds no record, and ends at offset 7: 6 lies before that, and what was there is gone"
        )
        #expect(
            extent.objection(to: 0, in: 3)
                == "kafka:abc/requests has no partition 3 any more")
    }
}
