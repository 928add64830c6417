import Concurrency
import Batching
import Glibc
import PipelineCore
import PipelineTesting
import SQLite
import SQLiteLedger
import Testing

/// Kills a process in the middle of its work, again and again, and holds the file against what it
/// acknowledged. The victim also tells when a transaction has begun, so that the kills fall into
/// them.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct SQLiteLedgerKillTests {
    private static let chunk: Int64 = 16

    @Test(arguments: 30..<36)
    func `What was acknowledged before SIGKILL is there, and nothing half`(
        _ signs: Int
    ) async throws {
        let path = "/tmp/penstock-kill-\(getpid())-\(signs).sqlite"
        defer { for end in ["", "-wal", "-shm"] { unsafe unlink(path + end) } }
        var acknowledged: Int64 = 0
        for _ in 0..<2 {
            let told = try await WorkerThread().run { try KillVictim(path).kill(after: signs) }
            #expect(told.signs >= signs, "the victim got that far")
            acknowledged += Int64(told.acknowledgements)
            let left = try await contents(path)
            #expect(left.cases >= acknowledged * Self.chunk)
            #expect(left.cases % Self.chunk == 0, "no chunk is there in part")
            #expect(left.cases == left.pending)
            #expect(left.cases == left.position)
            #expect(left.messages >= left.cases, "each chunk was sent before it was accepted")
            #expect(left.messages % Self.chunk == 0)
            acknowledged = left.cases / Self.chunk
        }
    }

    private struct Contents: Sendable {
        var cases: Int64
        var pending: Int64
        var position: Int64
        var messages: Int64
    }

    private func contents(_ path: String) async throws -> Contents {
        let database = SQLiteDatabase(path: path)
        let contents = try await database.read { connection in
            func count(_ table: String) throws -> Int64 {
                try connection.first("SELECT count(*) FROM \(table)") { $0.int64(0) }!
            }
            return Contents(
                cases: try count("ledger_cases"), pending: try count("ledger_pending"),
                position: try connection.first("SELECT next_offset FROM ledger_positions") {
                    $0.int64(0)
                }!, messages: try count("bus_messages"))
        }
        await database.close()
        return contents
    }

    /// The victim: passes at once, unless it is started by the test above.
    @Test func `victim that accepts until it is killed`() async throws {
        guard let path = unsafe getenv(KillVictim.variable) else { return }
        let database = SQLiteDatabase(path: unsafe String(cString: path))
        let clock = PipelineClock(RecordingTime())
        let fixture = try await SQLiteLedgerFixture(
            .count(1_000_000), database: database, clock: clock)
        let bus = EmbeddedBus(database: database, clock: clock)
        try await bus.ensureTopic("t", partitions: 1)
        let producer = try await bus.producer()
        var next = try await fixture.ledger.positions(of: "t", initial: [0: 0])[0]!
        while true {
            let numbers = Int(next)..<Int(next + Self.chunk)
            let records = numbers.map { OutgoingRecord(key: nil, payload: [UInt8($0 & 0xFF)]) }
            _ = try await producer.send(records, to: "t")
            let step = PositionAdvance(
                source: "t", partition: 0, expected: next, next: next + Self.chunk)
            try await fixture.accept(numbers, advances: [step])
            next += Self.chunk
            KillVictim.tell(.acknowledgement)
        }
    }
}

/// Tells when it is asked for the time, which stores do inside their transactions.
private struct RecordingTime: TimeSource {
    private let system = SystemTime()
    var now: Instant { system.now }
    var timestamp: Timestamp {
        KillVictim.tell(.transaction)
        return system.timestamp
    }
    func sleep(until deadline: Instant) async throws { try await system.sleep(until: deadline) }
}

/// This test program, started again to do one test, with a pipe for what it tells.
@safe private struct KillVictim {
    static let variable = "PENSTOCK_KILL_VICTIM"
    private static let pipeEnd: Int32 = 3
    private let process: pid_t
    private let pipe: UnsafeMutablePointer<FILE>

    init(_ path: String) throws {
        var ends: [Int32] = [0, 0]
        unsafe Glibc.pipe(&ends)
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], Self.pipeEnd)
        for output: Int32 in 1...2 {
            unsafe posix_spawn_file_actions_addopen(&actions, output, "/dev/null", O_WRONLY, 0)
        }
        let arguments = [
            "victim", "--testing-library", "swift-testing", "--filter",
            "victim that accepts until it is killed",
        ]
        var argv = unsafe arguments.map { unsafe strdup($0) } + [nil]
        var environment = unsafe [strdup("\(Self.variable)=\(path)"), nil]
        var process: pid_t = 0
        let failed = unsafe posix_spawn(
            &process, "/proc/self/exe", &actions, nil, &argv, &environment)
        for index in unsafe argv.indices { unsafe free(argv[index]) }
        for index in unsafe environment.indices { unsafe free(environment[index]) }
        unsafe posix_spawn_file_actions_destroy(&actions)
        close(ends[1])
        try #require(failed == 0)
        self.process = process
        unsafe pipe = fdopen(ends[0], "r")
    }

    enum Sign: UInt8 {
        case transaction
        case acknowledgement
    }

    static func tell(_ sign: Sign) {
        var byte = sign.rawValue
        unsafe write(pipeEnd, &byte, 1)
    }

    /// Kills the process once it has told so much. Answers what it has told in all.
    func kill(after count: Int) -> (signs: Int, acknowledgements: Int) {
        var told = (signs: 0, acknowledgements: 0)
        while let sign = next() {
            told.signs += 1
            if sign == .acknowledgement { told.acknowledgements += 1 }
            if told.signs == count { Glibc.kill(process, SIGKILL) }
        }
        unsafe fclose(pipe)
        var status: Int32 = 0
        unsafe waitpid(process, &status, 0)
        return told
    }

    private func next() -> Sign? {
        Sign(rawValue: UInt8(truncatingIfNeeded: unsafe getc(pipe)))
    }
}
