import Foundation
import PipelineCore

/// Which seeds a test tries: `PENSTOCK_SIMULATION_SEEDS` says how many,
/// `PENSTOCK_SIMULATION_FIRST_SEED` where to begin.
enum Seeds {
    /// - Parameter count: how many, if the environment does not say.
    static func seeds(_ count: Int) -> Range<UInt64> {
        let first = number("PENSTOCK_SIMULATION_FIRST_SEED") ?? 1
        return first..<first + (number("PENSTOCK_SIMULATION_SEEDS") ?? UInt64(count))
    }

    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    /// Runs `body` for each seed, a thread for each processor, until one answers what is wrong.
    static func firstFailure(
        _ count: Int, _ body: @escaping @Sendable (_ seed: UInt64) -> String?
    ) async throws -> String? {
        let all = seeds(count)
        let first = Shared<(seed: UInt64, failure: String)?>(nil)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let threads = UInt64(ProcessInfo.processInfo.activeProcessorCount)
            for thread in 0..<threads {
                group.addTask {
                    try await WorkerThread().run {
                        for seed in stride(
                            from: all.lowerBound + thread, to: all.upperBound, by: Int(threads))
                        {
                            if let known = first.current, known.seed < seed { return }
                            guard let failure = body(seed) else { continue }
                            first.withLock {
                                if $0.map({ seed < $0.seed }) ?? true { $0 = (seed, failure) }
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        return first.current.map { "seed \($0.seed): \($0.failure)" }
    }
}
