internal import Ledger
public import PipelineCore
public import Postgres

extension PostgresLedgerProvider: StateAdministration {
    public func enter(_ stage: LedgerNeed) async throws {
        try await pool.withTransaction { connection in
            try PostgresStateTables(connection).checkOwners(
                stage.owners, pipeline: stage.pipeline, stage: stage.stage, isExclusive: false)
            try connection.query(
                """
                insert into penstock.stages(pipeline, name, rule, revision)
                select $1, $2, $3, coalesce($4, 1) where not exists (
                  select from penstock.stages where pipeline = $1 and name = $2)
                on conflict do nothing
                """
            ) {
                $0.add(text: stage.pipeline)
                $0.add(text: stage.stage)
                $0.add(text: stage.ruleText)
                $0.add(int8: stage.revision)
            }
        }
    }

    /// What the ledgers hold, by stage. Only reads.
    public func stages() async throws -> [StageState] {
        try await pool.withTransaction("BEGIN READ ONLY") { connection in
            try PostgresStateTables(connection).states()
        }
    }

    /// Processes that still work under the old name go on under the new one: they know the stage by
    /// its number.
    public func rename(_ renamings: [StateRenaming], isTrial: Bool) async throws -> [[String]] {
        try await renamings.done(
            isTrial: isTrial, in: { try await pool.withTransaction("BEGIN", $0) }
        ) {
            try Self.rename($0, $1)
        }
    }

    /// One renaming, within somebody's transaction.
    public static func rename(
        _ renaming: StateRenaming, _ connection: PostgresConnection
    ) throws -> [String] {
        try PostgresStateTables(connection).rename(renaming)
    }

    public func resume(
        _ name: StateName, by actor: String, isTrial: Bool
    ) async throws -> [String] {
        try await pool.check(LedgerSchema.migration)
        return try await pool.withTransaction {
            try PostgresStateTables($0).resume(name, by: actor, isTrial: isTrial)
        }
    }

    public func abandon(
        _ name: StateName, besides owners: [StateOwner], reason: String, isTrial: Bool
    ) async throws -> [String] {
        let open = try await pool.withConnection {
            try PostgresStateTables($0).openWork(under: name)
        }
        for work in isTrial ? [] : open {
            if work.sink == nil { try await end(work.stage, reason: reason) }
            try await giveUp(work.stage, sink: work.sink)
        }
        return try await pool.withTransaction { connection in
            let tables = PostgresStateTables(connection)
            let pauses = try tables.endPauses(under: name, besides: owners, isTrial: isTrial)
            let forgotten = try tables.forget(name, besides: owners, isTrial: isTrial)
                .filter { row in !open.contains { $0.stage == row.stage } }
            return open.map(\.sentence) + forgotten.map(\.sentence) + pauses
        }
    }

    /// In steps, so that nothing is locked for long.
    private func end(_ stage: Int16, reason: String) async throws {
        // Refreshed reports stay as they were.
        try await repeated {
            try $0.query(
                """
                with held as (
                  select stage from penstock.stages where stage = $1 for update),
                gone as (
                  delete from penstock.pending p using held h, penstock.cases c
                  where p.stage = h.stage and c.case_no = p.case_no and exists (
                    select from penstock.cases e join penstock.outcomes o using (case_no)
                    where e.key = c.key and e.stage = c.stage and e.attempt = c.attempt - 1
                      and o.state = 's')
                  returning p.case_no)
                delete from penstock.cases c using gone g where c.case_no = g.case_no
                """
            ) { $0.add(int2: stage) }.affectedRows
        }
        try await repeated {
            try $0.query(
                """
                select penstock.end_cases($1, array(
                  select c.key from (
                    select case_no from penstock.pending where stage = $1
                    order by case_no limit 1000) p
                  join penstock.cases c using (case_no)), 'c', 'abandoned', $2, '{}')
                """
            ) {
                $0.add(int2: stage)
                $0.add(text: reason)
            }.int(0, 0)
        }
        // The token is spent: whoever generates the batch has lost its lease.
        try await repeated {
            try $0.query(
                """
                with ended as (
                  update penstock.batches set token = token + 1, lease_until = null,
                    last_error = $2, committed_at = clock_timestamp(), done_at = clock_timestamp()
                  where batch_no = (
                    select batch_no from penstock.batches
                    where stage = $1 and committed_at is null order by batch_no limit 1 for update)
                  returning batch_no, cases, committed_at)
                insert into penstock.outcomes(
                  case_no, batch_no, written_at, outcome_id, state, reason)
                select no, batch_no, committed_at, gen_random_uuid(), 'c', $2
                from ended cross join unnest(cases) no
                on conflict do nothing
                """
            ) {
                $0.add(int2: stage)
                $0.add(text: reason)
            }.affectedRows
        }
    }

    private func giveUp(_ stage: Int16, sink: String?) async throws {
        try await pool.withTransaction { connection in
            try connection.query(
                """
                delete from penstock.parked
                where stage = $1 and ($2::text is null or sink = $2)
                """
            ) {
                $0.add(int2: stage)
                $0.add(text: sink)
            }
            try connection.query(
                """
                delete from penstock.deliveries
                where stage = $1 and delivered_at is null and ($2::text is null or sink = $2)
                """
            ) {
                $0.add(int2: stage)
                $0.add(text: sink)
            }
            // A statement of its own: it sees what is gone.
            try connection.query(
                """
                select penstock.finish_batch(batch_no) from penstock.batches
                where stage = $1 and committed_at is not null and done_at is null
                """
            ) { $0.add(int2: stage) }
        }
    }

    private func repeated(
        _ step: @escaping @Sendable (PostgresConnection) throws -> Int
    ) async throws {
        while true {
            let count = try await pool.withConnection { try step($0) }
            if count == 0 { return }
            try Task.checkCancellation()
        }
    }
}

/// The tables of PostgreSQL that know names.
struct PostgresStateTables: StateTables {
    private let connection: PostgresConnection
    init(_ connection: PostgresConnection) { self.connection = connection }

    func stages(_ name: StateName?) throws -> [(key: Int16, state: StageState)] {
        let rows = try connection.query(
            """
            select s.stage, s.pipeline, s.name,
              (select count(*)::int from (
                select from penstock.pending p where p.stage = s.stage limit 10000) x),
              (select count(*)::int from penstock.batches b
                where b.stage = s.stage and b.committed_at is null)
            from penstock.stages s
            where ($1::text is null or s.pipeline = $1) and ($2::text is null or s.name = $2)
            order by s.stage
            """
        ) {
            $0.add(text: name?.pipeline)
            $0.add(text: name?.part)
        }
        return try (0..<rows.rowCount).map { row in
            let number = Int16(rows.int64(row, 0))
            var state = StageState(
                pipeline: rows.text(row, 1), stage: rows.text(row, 2), waiting: rows.int(row, 3),
                openBatches: rows.int(row, 4))
            let deliveries = try connection.query(
                """
                select sink, count(*)::int from penstock.deliveries
                where stage = $1 and delivered_at is null group by sink
                """
            ) { $0.add(int2: number) }
            for row in 0..<deliveries.rowCount {
                state.undelivered[deliveries.text(row, 0)] = deliveries.int(row, 1)
            }
            let parked = try connection.query(
                "select sink, count(*)::int from penstock.parked where stage = $1 group by sink"
            ) { $0.add(int2: number) }
            for row in 0..<parked.rowCount {
                state.parked[parked.text(row, 0)] = parked.int(row, 1)
            }
            let sources = try connection.query(
                "select distinct source from penstock.positions where stage = $1"
            ) { $0.add(int2: number) }
            state.sources = Set((0..<sources.rowCount).map { sources.text($0, 0) })
            state.pauses = try connection.pauses(of: number)
            return (number, state)
        }
    }

    func name(_ number: Int16, _ pipeline: String, _ stage: String) throws {
        try connection.query("update penstock.stages set pipeline = $2, name = $3 where stage = $1")
        {
            $0.add(int2: number)
            $0.add(text: pipeline)
            $0.add(text: stage)
        }
    }

    func dropPositions(of number: Int16) throws {
        try connection.query("delete from penstock.positions where stage = $1") {
            $0.add(int2: number)
        }
    }

    func holdsState(_ number: Int16) throws -> Bool {
        try connection.query(
            """
            select exists (select from penstock.positions where stage = $1)
              or exists (select from penstock.pending where stage = $1)
              or exists (select from penstock.batches where stage = $1)
              or exists (select from penstock.stages where stage = $1 and purged_cases > 0)
            """
        ) { $0.add(int2: number) }.bool(0, 0)
    }

    func moveDeadLetters(_ old: StateName, to new: StateName) throws -> Int {
        try connection.query(
            """
            update penstock.dead_letters set pipeline = $3, stage = coalesce($4, stage)
            where pipeline = $1 and ($2::text is null or stage = $2)
            """
        ) {
            $0.add(text: old.pipeline)
            $0.add(text: old.part)
            $0.add(text: new.pipeline)
            $0.add(text: new.part)
        }.affectedRows
    }

    func batches(openTo sink: String, markedFor other: String, of stage: Int16) throws -> Int {
        try connection.query(
            """
            select count(*)::int from penstock.deliveries o
            join penstock.deliveries n on n.batch_no = o.batch_no and n.sink = $3
            where o.stage = $1 and o.sink = $2 and (o.delivered_at is null or exists (
              select from penstock.parked k where k.batch_no = o.batch_no and k.sink = o.sink))
            """
        ) {
            $0.add(int2: stage)
            $0.add(text: sink)
            $0.add(text: other)
        }.int(0, 0)
    }

    func moveDeliveries(to sink: String, of stage: Int16, to new: String) throws {
        for update in [
            """
            update penstock.deliveries d set sink = $3
            where stage = $1 and sink = $2 and (delivered_at is null or exists (
              select from penstock.parked k where k.batch_no = d.batch_no and k.sink = d.sink))
            """, "update penstock.parked set sink = $3 where stage = $1 and sink = $2",
        ] {
            try connection.query(update) {
                $0.add(int2: stage)
                $0.add(text: sink)
                $0.add(text: new)
            }
        }
    }
    func movePause(
        _ part: LedgerPart, of stage: Int16, to new: LedgerPart, of other: Int16
    ) throws {
        try connection.query(
            """
            insert into penstock.pauses(stage, part, since, reason)
            select $4, $3, since, reason from penstock.pauses where stage = $1 and part = $2
            on conflict do nothing
            """
        ) {
            $0.add(int2: stage)
            $0.add(text: part.text)
            $0.add(text: new.text)
            $0.add(int2: other)
        }
        try dropPause(part, of: stage)
    }

    func dropPause(_ part: LedgerPart, of stage: Int16) throws {
        try connection.query("delete from penstock.pauses where stage = $1 and part = $2") {
            $0.add(int2: stage)
            $0.add(text: part.text)
        }
    }

    func note(_ action: String, by actor: String, on stage: Int16) throws {
        try connection.note(action, by: actor, on: stage)
    }
}
