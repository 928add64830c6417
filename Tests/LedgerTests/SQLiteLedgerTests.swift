import Batching
import Ledger
import PipelineCore
import PipelineTesting
import SQLite
import Testing

@testable import SQLiteLedger

struct SQLiteLedgerTests {
    @Test func `A case goes from waiting to delivered, and away`() async throws {
        let fixture = try await SQLiteLedgerFixture()
        let ledger = fixture.ledger
        #expect(
            try await fixture.accept(0..<4) == .accepted(.init(new: 4, reopened: 0, repeated: 0)))
        #expect(try await fixture.states(0, 3, 4) == [.pending, .pending, nil])
        let result = try await ledger.seal()
        #expect(result.sealed.map(\.closedBy) == ["count"])
        #expect(result.open.count == 0 && result.next == nil)
        #expect(try await fixture.states(0) == [.sealed])
        let batch = try #require(try await ledger.claim(worker: "w", lease: .seconds(10)))
        #expect(batch.cases.map(\.id) == (0..<4).map(fixture.id))
        #expect(batch.cases[2].parameters == [2])
        #expect(try await fixture.states(0) == [.running])
        try await ledger.commit(fixture.commit(batch, sinks: ["a", "b"]))
        try await ledger.commit(fixture.commit(batch, sinks: ["a", "b"]))
        #expect(try await fixture.states(0) == [.succeeded])
        for sink in ["a", "b"] {
            let delivery = try #require(
                try await ledger.claimDelivery(sink: sink, worker: "w", lease: .seconds(10)))
            #expect(delivery.outcomes.map(\.report) == Array(repeating: [1, 2, 3], count: 4))
            #expect(delivery.outcomes.map(\.caseID) == (0..<4).map(fixture.id))
            #expect(delivery.outcomes[1].parameters == [1])
            try await ledger.delivered(batch: batch.number, sink: sink, token: delivery.token)
        }
        let record = try #require(try await ledger.batches(BatchSelection(), limit: 9).first)
        #expect(record.state == .done && record.cases == 4 && record.took == .milliseconds(20))
        #expect(try await ledger.isIdle())
        fixture.time.advance(by: .seconds(1))
        #expect(try await ledger.purgeAll(finishedBefore: fixture.time.timestamp) == 4)
        #expect(try await fixture.states(0) == [nil])
    }

    @Test func `A large drain goes in steps and keeps to what waited when it began`() async throws {
        let fixture = try await SQLiteLedgerFixture(.maxAge(.seconds(60)), maxBatch: 2)
        try await fixture.accept(0..<101)
        fixture.time.advance(by: .seconds(60))
        let first = try await fixture.ledger.seal()
        #expect(first.sealed.count == 32)
        #expect(first.next == first.clock, "there is more to do at once")
        #expect(try await fixture.ledger.expectedSealing().at == first.clock)
        try await fixture.accept(200..<201)
        let second = try await fixture.ledger.seal()
        #expect(second.sealed.map(\.count).reduce(0, +) == 101 - 64)
        #expect(second.sealed.last?.count == 1)
        #expect(second.sealed.allSatisfy { $0.closedBy == "max_age" })
        #expect(second.open.count == 1, "the late one waits for a batch of its own")
        #expect(second.next == second.clock.advanced(by: .seconds(60)))
    }

    @Test func `Attempts made before they were counted are counted by a migration`() async throws {
        let database = SQLiteDatabase.inMemory()
        var before = LedgerSchema.migration
        before.steps = Array(before.steps.prefix(3))
        try await database.migrate(before)
        let numbers = [(1, 7), (2, 8), (3, 7), (4, 9), (5, 7)]
        try await database.write { connection in
            for (number, id) in numbers {
                try connection.run(
                    """
                    INSERT INTO ledger_cases VALUES(?1, 1, 0, 0, ?2, ?3, ?4, ?5)
                    """, number, id == 7 && number < 5 ? 1 : 0,
                    UUID(high: 7, low: UInt64(id)), Digest(high: 0, low: 0), [] as Bytes)
            }
            try connection.run("UPDATE ledger_numbers SET next_case = 6")
        }
        let fixture = try await SQLiteLedgerFixture(database: database)
        let found = try await fixture.ledger.snapshots(of: [7, 8, 9].map(fixture.id))
        #expect([7, 8, 9].map { found[fixture.id($0)]?.revision } == [3, 1, 1])
    }

    @Test func `Purging an old attempt leaves the living one known`() async throws {
        let fixture = try await SQLiteLedgerFixture(.count(1), maxBatch: 1)
        try await fixture.accept([1])
        _ = try await fixture.ledger.seal()
        _ = try await fixture.generate(.failure(code: "no-data", reason: "none"))
        #expect(try await fixture.states(1) == [.failed])
        #expect(
            try await fixture.accept([1, 1]) == .accepted(.init(new: 0, reopened: 1, repeated: 1)))
        fixture.time.advance(by: .seconds(1))
        #expect(try await fixture.ledger.purgeAll(finishedBefore: fixture.time.timestamp) == 1)
        #expect(try await fixture.accept([1]) == .accepted(.init(new: 0, reopened: 0, repeated: 1)))
        #expect(try await fixture.accept([1], content: 9) == .conflicts([0]))
        #expect(try await fixture.states(1) == [.pending])
    }

    @Test func `Case numbers are not given again after a purge`() async throws {
        let fixture = try await SQLiteLedgerFixture(.count(1), maxBatch: 1)
        var numbers: [Int64] = []
        for round in 0..<3 {
            try await fixture.accept([round])
            _ = try await fixture.ledger.seal()
            numbers += try #require(try await fixture.generate()).cases.map(\.number)
            fixture.time.advance(by: .seconds(1))
            _ = try await fixture.ledger.purgeAll(finishedBefore: fixture.time.timestamp)
        }
        #expect(numbers == [1, 2, 3])
    }

    @Test func `Nothing is written when positions or digests disagree`() async throws {
        let fixture = try await SQLiteLedgerFixture()
        let ledger = fixture.ledger
        let step = PositionAdvance(source: "t", partition: 0, expected: 5, next: 6)
        #expect(try await ledger.positions(of: "t", initial: [0: 5, 1: 7]) == [0: 5, 1: 7])
        try await fixture.accept([1])
        let conflicts = try await fixture.accept([2, 1, 2], content: 3, advances: [step])
        #expect(conflicts == .conflicts([1]))
        #expect(try await fixture.states(1, 2) == [.pending, nil])
        #expect(try await ledger.positions(of: "t", initial: [0: 0]) == [0: 5])
        let wrong = PositionAdvance(source: "t", partition: 1, expected: 8, next: 9)
        let error = await #expect(throws: PipelineError.self) {
            try await fixture.accept([3], advances: [step, wrong])
        }
        #expect(error?.code == "position-moved")
        #expect(try await fixture.states(3) == [nil])
        #expect(try await ledger.positions(of: "t", initial: [0: 0]) == [0: 5])
    }

    @Test func `A flush is for what had been accepted when it was asked for`() async throws {
        let fixture = try await SQLiteLedgerFixture(.any([.count(4), .manual]))
        try await fixture.ledger.requestFlush()
        fixture.time.advance(by: .seconds(1))
        try await fixture.accept([1])
        #expect(try await fixture.ledger.seal().sealed.isEmpty)
        try await fixture.accept(2..<7)
        try await fixture.ledger.requestFlush()
        let sealed = try await fixture.ledger.seal().sealed
        #expect(sealed.map(\.closedBy) == ["count", "manual"])
        #expect(sealed.map(\.count) == [4, 2])
        try await fixture.accept([8])
        #expect(try await fixture.ledger.seal().sealed.isEmpty, "the flush is done")
    }

    @Test func `A rule without a revision follows what is stored`() async throws {
        let fixture = try await SQLiteLedgerFixture(.count(1))
        let provider = SQLiteLedgerProvider(database: fixture.database, clock: fixture.time.clock)
        let newer = provider.ledger(for: SQLiteLedgerFixture.stage(.count(1), text: "newer"))
        try await newer.register()
        try await fixture.accept([1])
        #expect(try await fixture.ledger.seal().outdatedBy == 2)
        #expect(try await newer.seal().sealed.count == 1)
        let other = provider.ledger(
            for: SQLiteLedgerFixture.stage(.count(1), text: "other", revision: 2))
        let error = await #expect(throws: PipelineError.self) { try await other.register() }
        #expect(error?.code == "rule-conflict")
    }

    @Test func `A command beside a running process leaves its rule in force`() async throws {
        let fixture = try await SQLiteLedgerFixture(.any([.count(9), .manual]))
        try await fixture.accept([1])
        let beside = SQLiteLedgerProvider(database: fixture.database, clock: fixture.time.clock)
            .ledger(for: SQLiteLedgerFixture.stage(.manual, text: "edited"))
        try await beside.requestFlush()
        #expect(try await beside.overview().open.count == 1)
        #expect(try await fixture.ledger.seal().sealed.count == 1)
    }

    @Test(arguments: [
        "UPDATE ledger_outcomes SET state = 'done'",
        "UPDATE ledger_outcomes SET outcome_id = x'01'",
    ])
    func `A row that somebody else has changed is an error, and the others can be read`(
        _ change: String
    ) async throws {
        let fixture = try await SQLiteLedgerFixture(.count(1), maxBatch: 1)
        try await fixture.accept([1])
        _ = try await fixture.ledger.seal()
        _ = try await fixture.generate(sinks: ["a"])
        try await fixture.accept([2])
        _ = try await fixture.database.write { try $0.run(change) }
        for read in [
            { _ = try await fixture.states(1) },
            {
                _ = try await fixture.ledger.claimDelivery(
                    sink: "a", worker: "w", lease: .seconds(10))
            },
        ] as [() async throws -> Void] {
            let error = await #expect(throws: PipelineError.self) { try await read() }
            #expect(error?.code == "store-damaged" && error?.disposition == .retryable)
        }
        #expect(try await fixture.states(2) == [.pending])
    }

    @Test func `A case whose id somebody else has changed is no batch's end of the process`()
        async throws
    {
        let fixture = try await SQLiteLedgerFixture(.count(1), maxBatch: 1)
        try await fixture.accept([1])
        _ = try await fixture.ledger.seal()
        _ = try await fixture.database.write {
            try $0.run("UPDATE ledger_cases SET id = x'0102'")
        }
        let error = await #expect(throws: PipelineError.self) {
            _ = try await fixture.ledger.claim(worker: "w", lease: .seconds(10))
        }
        #expect(error?.code == "store-damaged")
    }

    @Test func `A replay that is broken off opens none of its cases`() async throws {
        let fixture = try await SQLiteLedgerFixture()
        try await fixture.accept(0..<4)
        _ = try await fixture.ledger.seal()
        let batch = try #require(try await fixture.generate())
        _ = try await fixture.database.write {
            try $0.run(
                """
                CREATE TRIGGER broken BEFORE INSERT ON ledger_batches
                BEGIN SELECT RAISE(ABORT, 'broken off'); END
                """)
        }
        await #expect(throws: (any Error).self) {
            _ = try await fixture.ledger.replay(batch: batch.number)
        }
        for number in 0..<4 {
            let life = try await fixture.ledger.history(of: fixture.id(number))
            #expect(life?.attempts.map(\.revision) == [1])
        }
        _ = try await fixture.database.write { try $0.run("DROP TRIGGER broken") }
        #expect(try await fixture.ledger.replay(batch: batch.number).replayed == 4)
    }

    @Test func `A file without tables says what to do`() async throws {
        let ledger = SQLiteLedgerProvider(database: .inMemory(), clock: .system)
            .ledger(for: SQLiteLedgerFixture.stage(.manual))
        let error = await #expect(throws: PipelineError.self) { try await ledger.register() }
        #expect(error?.code == "store-schema")
    }
}
