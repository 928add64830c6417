public import PipelineCore

/// What every ``DeadLetterMarks`` must do, as checks to be run against each implementation, a fresh
/// one each.
public enum DeadLetterMarksConformance {
    public typealias Check = ConformanceCheck<any DeadLetterMarks>

    private static let (here, there) = (
        LogName("kafka:one/requests.dead-letters"), LogName("kafka:two/requests.dead-letters")
    )

    private static func letters(_ offsets: [Int64], _ digest: UInt64 = .max - 5) -> SettledLetters {
        SettledLetters(
            OffsetRanges(offsets), witness: LogWitness(offset: offsets.max() ?? 0, digest: digest))
    }

    public static let checks: [Check] = [
        Check("what is settled adds up, by log and partition") { store in
            try requireEqual(try await store.settled(of: here), [:], "at first")
            try await store.settle(
                [0: letters([3, 4, 5]), 2: letters([7])], of: here, starts: [:], refuted: [:])
            try await store.settle([0: letters([0, 9])], of: there, starts: [:], refuted: [:])
            try await store.settle([0: letters([6, 1])], of: here, starts: [:], refuted: [:])
            let settled = try await store.settled(of: here)
            try requireEqual(settled.mapValues(\.offsets.bounds), [0: [1, 2, 3, 7], 2: [7, 8]])
            try requireEqual(settled[0]?.witness, letters([6]).witness, "the last one's witness")
            try requireEqual(
                try await store.settled(of: there).mapValues(\.offsets.bounds), [0: [0, 1, 9, 10]],
                "of the other log")
        },
        Check("the last letter stays the witness, whatever is settled later") { store in
            try await store.settle([0: letters([8], 1)], of: here, starts: [:], refuted: [:])
            try await store.settle([0: letters([2], 2)], of: here, starts: [:], refuted: [:])
            try requireEqual(
                try await store.settled(of: here)[0]?.witness, LogWitness(offset: 8, digest: 1))
        },
        Check("what lies before the log's beginning is forgotten") { store in
            let many = letters((0..<10).map { 2 * $0 })
            try await store.settle([0: many, 1: many], of: here, starts: [:], refuted: [:])
            try await store.settle([0: letters([21])], of: here, starts: [0: 16], refuted: [:])
            let settled = try await store.settled(of: here).mapValues(\.offsets.bounds)
            try requireEqual(settled[0], [16, 17, 18, 19, 21, 22])
            try requireEqual(settled[1], many.offsets.bounds, "the other partition")
        },
        Check("what is found to be of another log is forgotten, in every partition") { store in
            let old = [Int32(0): letters([40, 41], 1), 1: letters([9], 2)]
            try await store.settle(old, of: here, starts: [:], refuted: [:])
            let refuted = old.mapValues(\.witness)
            try await store.settle([0: letters([3], 3)], of: here, starts: [:], refuted: refuted)
            try requireEqual(
                try await store.settled(of: here), [0: letters([3], 3)], "of the new log")
            // Somebody else has found the same a little later.
            try await store.settle([0: letters([5], 4)], of: here, starts: [:], refuted: refuted)
            let settled = try await store.settled(of: here)
            try requireEqual(settled.mapValues(\.offsets.bounds), [0: [3, 4, 5, 6]])
        },
        Check("those who settle at once lose nothing of each other") { store in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<8 as Range<Int64> {
                    group.addTask {
                        for step in 0..<10 as Range<Int64> {
                            try await store.settle(
                                [0: letters([task * 10 + step]), 1: letters([step * 8 + task])],
                                of: here, starts: [:], refuted: [:])
                        }
                    }
                }
                try await group.waitForAll()
            }
            let settled = try await store.settled(of: here).mapValues(\.offsets.bounds)
            try requireEqual(settled, [0: [0, 80], 1: [0, 80]])
        },
        Check("who settles what is settled has done nothing, and is told so") { store in
            let counts: [Int] = try await withThrowingTaskGroup(of: Int.self) { group in
                for task in 0..<4 {
                    group.addTask {
                        try await store.settle(
                            [0: letters(Array(0..<50)), 1: letters([Int64(task)])], of: here,
                            starts: [:], refuted: [:])
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            try requireEqual(counts.sorted(), [1, 1, 1, 51], "the letters of each")
            let again = try await store.settle(
                [0: letters([7, 50, 51])], of: here, starts: [:], refuted: [:])
            try requireEqual(again, 2, "of which one is settled")
            let anew = try await store.settle(
                [0: letters([7], 9)], of: here, starts: [:],
                refuted: [0: letters([51]).witness])
            try requireEqual(anew, 1, "of another log")
        },
        Check("a row holds many ranges") { store in
            let many = letters((0..<20_000).map { 3 * $0 })
            try await store.settle([0: many], of: here, starts: [:], refuted: [:])
            try requireEqual(
                try await store.settled(of: here)[0]?.offsets.ranges.count, 20_000, "ranges")
        },
    ]
}
