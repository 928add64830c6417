import Batching
import Glibc
import Ledger
import PipelineCore
import SQLite
import SQLiteLedger
import Testing

/// Kills a process in the middle of its work, again and again, and holds the file against what it
/// acknowledged.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct SQLiteLedgerKillTests {
    private static let chunk: Int64 = 16

    @Test(arguments: [1, 7, 30])
    func `What was acknowledged before SIGKILL is there, and nothing half`(_ count: Int)
        async throws
    {
        let path = "/tmp/penstock-kill-\(getpid())-\(count).sqlite"
        defer { for end in ["", "-wal", "-shm"] { unsafe unlink(path + end) } }
        var acknowledged: Int64 = 0
        for _ in 0..<3 {
            let chunks = try await WorkerThread().run {
                try KillVictim(path).killAfter(lines: count)
            }
            #expect(chunks >= count, "the victim got that far")
            acknowledged += Int64(chunks)
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
        let fixture = try await SQLiteLedgerFixture(.count(1_000_000), database: database)
        let bus = EmbeddedBus(database: database, clock: .system)
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
            KillVictim.acknowledge()
        }
    }
}

/// This test program, started again to do one test, with a pipe for its acknowledgements.
@safe private struct KillVictim {
    static let variable = "PENSTOCK_KILL_VICTIM"
    private static let pipeEnd: Int32 = 3
    private let process: pid_t
    private let acknowledgements: UnsafeMutablePointer<FILE>

    init(_ path: String) throws {
        var ends: [Int32] = [0, 0]
        unsafe pipe(&ends)
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
        unsafe acknowledgements = fdopen(ends[0], "r")
    }

    static func acknowledge() {
        unsafe write(pipeEnd, "\n", 1)
    }

    /// Kills the process once it has acknowledged so much. Answers how much it has in all.
    func killAfter(lines count: Int) -> Int {
        var lines = 0
        while lines < count, unsafe getc(acknowledgements) != EOF { lines += 1 }
        kill(process, SIGKILL)
        while unsafe getc(acknowledgements) != EOF { lines += 1 }
        unsafe fclose(acknowledgements)
        var status: Int32 = 0
        unsafe waitpid(process, &status, 0)
        return lines
    }
}
