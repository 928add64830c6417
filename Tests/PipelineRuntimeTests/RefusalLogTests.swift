import Logging
import PipelineCore
import PipelineTesting
import Testing

@testable import PipelineRuntime

@Suite("What is refused", .timeLimit(.minutes(1)))
struct RefusalLogTests {
    private let time = ManualClock()
    private let logs = LogCapture()
    private let log: RefusalLog

    init() { log = RefusalLog(logger: logs.logger(), clock: time.clock) }

    private func refuse(_ count: Int, _ code: ErrorCode, at stage: String = "requests") {
        for number in 0..<count {
            log.rejected([
                Rejection(
                    .testing(number, offset: Int64(number)), stage: stage, code: code,
                    reason: "reason \(number)")
            ])
        }
    }

    /// Every line: `requests malformed 1: reason 0`.
    private var told: [String] {
        logs.events.map { event in
            func part(_ key: String) -> String { event.metadata[key]?.description ?? "-" }
            return "\(part("stage")) \(part("code")) \(part("records")): \(part("reason"))"
        }
    }

    /// Runs the log until `body` returns.
    private func telling(_ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await log.run() }
            try await time.sleepers()
            try await body()
            group.cancelAll()
        }
    }

    /// Moves time on in steps in which the log looks.
    private func pass(_ looks: Int) async throws {
        for _ in 0..<looks {
            try await time.sleepers()
            time.advance(by: RefusalLog.lookInterval)
        }
        try await time.sleepers()
    }

    @Test("is told of at once, stage by stage and code by code, with an example of each")
    func first() {
        refuse(3, "malformed")
        refuse(2, "deadline-passed")
        refuse(1, "conflict", at: "batch")
        #expect(
            told == [
                "requests malformed 1: reason 0", "requests deadline-passed 1: reason 0",
                "batch conflict 1: reason 0",
            ])
        #expect(logs.events.allSatisfy { $0.level == .warning })
    }

    @Test("is told of a minute later in one line for each kind, though nothing more is refused")
    func summary() async throws {
        try await telling {
            refuse(1000, "malformed")
            refuse(20, "conflict", at: "batch")
            try await pass(3)
            #expect(told.count == 2)
            try await pass(1)
            #expect(
                told.dropFirst(2) == [
                    "batch conflict 19: reason 19", "requests malformed 999: reason 999",
                ])
            try await pass(8)
            #expect(told.count == 4)
        }
        #expect(told.count == 4)
    }

    @Test("is told of at the end, however short a run was")
    func end() async throws {
        try await telling { refuse(100, "malformed") }
        #expect(told == ["requests malformed 1: reason 0", "requests malformed 99: reason 99"])
    }

    @Test("and kept elsewhere than in its topic is told of once a minute")
    func keptElsewhere() {
        let refusal = PipelineError.permanent("record-too-large", "too large")
        for _ in 0..<3 { log.keptElsewhere(5, of: "topic", in: "the store", because: refusal) }
        #expect(logs.events.count == 1)
        time.advance(by: RefusalLog.interval)
        log.keptElsewhere(5, of: "topic", in: "the store", because: refusal)
        #expect(logs.events.count == 2)
    }
}
