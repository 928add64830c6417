import Foundation
import PipelineCore

/// Which seeds a test tries: `PENSTOCK_SIMULATION_SEEDS` says how many, `PENSTOCK_SIMULATION_FIRST_SEED` where to begin.
enum Seeds {
    /// - Parameter count: how many, if the environment does not say.
    static func seeds(_ count: Int) -> Range<UInt64> {
        let first = number("PENSTOCK_SIMULATION_FIRST_SEED") ?? 1
        return first..<first + (number("PENSTOCK_SIMULATION_SEEDS") ?? UInt64(count))
    }

    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    /// Runs `body` for each seed on one thread of its own, until one answers what is wrong.
    static func firstFailure(
        _ count: Int, _ body: @escaping @Sendable (_ seed: UInt64) -> String?
    ) async throws -> String? {
        try await WorkerThread().run {
            for seed in seeds(count) {
                if let failure = body(seed) { return "seed \(seed): \(failure)" }
            }
            return nil
        }
    }
}
