internal import PipelineCore
internal import Postgres

/// The statements of the PostgreSQL store.
enum PostgresReportSQL {
    static let schema = "conversion"

    /// Advisory locks of this store: any number, the same in every process.
    static let folderLock: Int64 = 7_164_299_901
    static let partitionLock: Int64 = 7_164_299_902

    /// Times are kept to the microsecond, texts compared byte by byte, `''` stands for no checkout.
    ///
    /// Rollups are updated and deltas deleted all the time, and index-only scans need the
    /// visibility map: vacuum often.
    static let tables: PostgresScript = """
        CREATE TABLE conversion.events (
          occurred_at timestamptz NOT NULL, event_id uuid NOT NULL,
          count integer NOT NULL DEFAULT 1 CHECK (count > 0),
          kind "char" NOT NULL CHECK (kind IN ('V', 'P')),
          product_id text COLLATE "C" NOT NULL,
          checkout_id text COLLATE "C" NOT NULL DEFAULT ''
        ) PARTITION BY RANGE (occurred_at);
        CREATE INDEX events_edge ON conversion.events
          (product_id, occurred_at) INCLUDE (kind, checkout_id, count);
        CREATE TABLE conversion.events_other
          PARTITION OF conversion.events DEFAULT
          WITH (autovacuum_vacuum_insert_scale_factor = 0.02);
        CREATE TABLE conversion.rollup_hour (
          bucket timestamptz NOT NULL, views bigint NOT NULL, payments bigint NOT NULL,
          product_id text COLLATE "C" NOT NULL, checkout_id text COLLATE "C" NOT NULL,
          PRIMARY KEY (product_id, bucket, checkout_id) INCLUDE (views, payments)
        ) WITH (autovacuum_vacuum_scale_factor = 0.01,
          autovacuum_vacuum_insert_scale_factor = 0.01);
        CREATE TABLE conversion.rollup_day (
          bucket timestamptz NOT NULL, views bigint NOT NULL, payments bigint NOT NULL,
          product_id text COLLATE "C" NOT NULL, checkout_id text COLLATE "C" NOT NULL,
          PRIMARY KEY (product_id, bucket, checkout_id) INCLUDE (views, payments)
        ) WITH (autovacuum_vacuum_scale_factor = 0.01,
          autovacuum_vacuum_insert_scale_factor = 0.01);
        CREATE TABLE conversion.rollup_deltas (
          bucket timestamptz NOT NULL, views bigint NOT NULL, payments bigint NOT NULL,
          product_id text COLLATE "C" NOT NULL, checkout_id text COLLATE "C" NOT NULL
        ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
          autovacuum_vacuum_cost_delay = 0);
        CREATE INDEX rollup_deltas_key
          ON conversion.rollup_deltas (product_id, bucket);
        CREATE TABLE conversion.event_positions (
          source text COLLATE "C" NOT NULL, partition integer NOT NULL, next_offset bigint NOT NULL,
          PRIMARY KEY (source, partition)) WITH (fillfactor = 50);
        """

    static let copyDeltas: PostgresScript = """
        COPY conversion.rollup_deltas (bucket, views, payments, product_id, checkout_id)
        FROM STDIN (FORMAT binary);
        """

    static let copyEvents: PostgresScript = """
        COPY conversion.events (occurred_at, event_id, count, kind, product_id, checkout_id)
        FROM STDIN (FORMAT binary);
        """

    /// Fails with `division_by_zero` unless every position is where its advance expects it.
    static func advance(
        _ advances: [PositionAdvance], of owner: PositionOwner
    ) -> PostgresScript {
        var rows: PostgresScript = ""
        for (index, advance) in advances.enumerated() {
            let row: PostgresScript = """
                (\(advance.source)::text, \(advance.partition)::int, \(advance.expected)::bigint,
                \(advance.next)::bigint)
                """
            rows = index == 0 ? row : "\(rows), \(row)"
        }
        return """
            WITH moved AS (
              UPDATE conversion.event_positions AS p SET next_offset = a.next
              FROM (VALUES \(rows)) AS a(source, partition, expected, next)
              WHERE p.pipeline = \(owner.pipeline)::text AND p.stage = \(owner.stage)::text
                AND p.source = a.source AND p.partition = a.partition
                AND p.next_offset = a.expected
              RETURNING 1)
            SELECT 1 / (count(*) = \(advances.count))::int FROM moved;
            """
    }

    /// A month's table, made and filled with its index apart and then attached, which blocks
    /// neither readers nor writers of the other months for longer than a moment.
    static func createPartition(_ month: CalendarMonth) -> PostgresScript {
        let name = "events_\(month.suffix)"
        return """
            CREATE TABLE conversion.\(identifier: name)
            (LIKE conversion.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
            WITH (autovacuum_vacuum_insert_scale_factor = 0.02);
            ALTER TABLE conversion.events ATTACH PARTITION conversion.\(identifier: name)
            FOR VALUES FROM (\(month.firstInstant)) TO (\(month.advanced(by: 1).firstInstant));
            """
    }

    /// The months that have a table, as `2026_10`, and the store's own month, as months since year
    /// 0.
    static let partitions = """
        SELECT coalesce(string_agg(right(c.relname, 7), ','), ''),
          (extract(year FROM now() AT TIME ZONE 'UTC') * 12
            + extract(month FROM now() AT TIME ZONE 'UTC') - 1)::int
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'conversion.events'::regclass
        """

    /// Moves `$1` deltas into both rollups. Only with the folder's lock, at READ COMMITTED: a
    /// snapshot from before the lock would miss what the previous folder did.
    static let fold = """
        WITH gone AS (
          DELETE FROM conversion.rollup_deltas WHERE ctid = ANY (
            ARRAY(SELECT ctid FROM conversion.rollup_deltas LIMIT $1::bigint))
          RETURNING product_id, checkout_id, bucket, views, payments),
        hours AS (
          SELECT product_id, checkout_id, bucket, sum(views) AS views, sum(payments) AS payments
          FROM gone GROUP BY 1, 2, 3),
        hour AS (
          INSERT INTO conversion.rollup_hour AS r (product_id, checkout_id, bucket, views, payments)
          SELECT product_id, checkout_id, bucket, views, payments FROM hours
          ON CONFLICT (product_id, bucket, checkout_id) DO UPDATE
          SET views = r.views + excluded.views, payments = r.payments + excluded.payments),
        day AS (
          INSERT INTO conversion.rollup_day AS r (product_id, checkout_id, bucket, views, payments)
          SELECT product_id, checkout_id, \(floor("bucket", "1 day")), sum(views), sum(payments)
          FROM hours GROUP BY 1, 2, 3
          ON CONFLICT (product_id, bucket, checkout_id) DO UPDATE
          SET views = r.views + excluded.views, payments = r.payments + excluded.payments)
        SELECT count(*) FROM gone
        """

    static let unfolded = """
        SELECT count(*) FROM (SELECT FROM conversion.rollup_deltas LIMIT $1::bigint) AS waiting
        """

    /// Answers queries `$1` (product), `$2` (checkout or null), `$3` (start), `$4` (end): arrays of
    /// equal length.
    ///
    /// An answer is the sum of: whole days of the period, whole hours before and after them, deltas
    /// of its whole hours, and single events at its edges. LATERAL forces an index scan a part and
    /// query: the planner's own range join is hundreds of times slower.
    static let read = """
        WITH q AS MATERIALIZED (
          SELECT h.*, least(h1, e) AS s2, greatest(h2, h1) AS e1,
            \(floor("h1 + interval '1 day' - interval '1 microsecond'", "1 day")) AS d1,
            \(floor("h2", "1 day")) AS d2
          FROM (
            SELECT r.product_id, r.checkout_id, r.s, r.e, array_agg(r.ord) AS ords,
              \(floor("r.s + interval '1 hour' - interval '1 microsecond'", "1 hour")) AS h1,
              \(floor("r.e", "1 hour")) AS h2
            FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
              WITH ORDINALITY AS r(product_id, checkout_id, s, e, ord)
            GROUP BY r.product_id, r.checkout_id, r.s, r.e) h)
        SELECT o.ord, a.v, a.p, a.n * (o.ord = q.ords[1])::int, statement_timestamp()
        FROM q
        CROSS JOIN LATERAL (
          SELECT coalesce(sum(v), 0)::bigint AS v, coalesce(sum(p), 0)::bigint AS p,
            sum(n)::bigint AS n
          FROM (
            SELECT sum(b.views), sum(b.payments), count(*) FROM conversion.rollup_day b
            WHERE b.product_id = q.product_id AND b.bucket >= q.d1 AND b.bucket < q.d2
              AND (q.checkout_id IS NULL OR b.checkout_id = q.checkout_id)
            UNION ALL
            SELECT sum(b.views), sum(b.payments), count(*)
            FROM (VALUES (q.h1, least(q.d1, q.h2)), (greatest(q.d2, q.d1), q.h2)) AS w(a, z),
              conversion.rollup_hour b
            WHERE w.a < w.z AND b.product_id = q.product_id AND b.bucket >= w.a AND b.bucket < w.z
              AND (q.checkout_id IS NULL OR b.checkout_id = q.checkout_id)
            UNION ALL
            SELECT sum(d.views), sum(d.payments), count(*) FROM conversion.rollup_deltas d
            WHERE d.product_id = q.product_id AND d.bucket >= q.h1 AND d.bucket < q.h2
              AND (q.checkout_id IS NULL OR d.checkout_id = q.checkout_id)
            UNION ALL
            SELECT sum(x.count) FILTER (WHERE x.kind = 'V'),
              sum(x.count) FILTER (WHERE x.kind = 'P'), count(*)
            FROM (VALUES (q.s, q.s2), (q.e1, q.e)) AS w(a, z), conversion.events x
            WHERE w.a < w.z AND x.product_id = q.product_id
              AND x.occurred_at >= w.a AND x.occurred_at < w.z
              AND (q.checkout_id IS NULL OR x.checkout_id = q.checkout_id)
          ) AS part(v, p, n)) AS a
        CROSS JOIN LATERAL unnest(q.ords) AS o(ord)
        """

    private static func floor(_ expression: String, _ bucket: String) -> String {
        "date_bin(interval '\(bucket)', \(expression), timestamptz '2000-01-01 00:00:00+00')"
    }
}

extension PostgresReportSQL {
    /// Positions belong to a stage and a log. Rows of earlier versions knew neither: they have
    /// empty names, and are taken over by the first stage that asks for a log of their topic.
    ///
    /// `source` is the log's key and the number of the log that has it now, so that positions of
    /// the one before can't be advanced any more. The lock keeps a position from being stored for a
    /// log that is just being replaced.
    static let ownedPositions: PostgresScript = """
        ALTER TABLE conversion.event_positions
          ADD pipeline text COLLATE "C" NOT NULL DEFAULT '',
          ADD stage text COLLATE "C" NOT NULL DEFAULT '',
          ADD log text COLLATE "C", ADD incarnation integer NOT NULL DEFAULT 0,
          ADD witness_offset bigint, ADD witness_digest bigint,
          DROP CONSTRAINT event_positions_pkey,
          ADD PRIMARY KEY (pipeline, stage, source, partition);

        CREATE FUNCTION conversion.positions(
          p_pipeline text, p_stage text, p_log text, p_former text, p_parts int[],
          p_initial bigint[])
        RETURNS TABLE (
          source text, partition int, next_offset bigint, witness_offset bigint,
          witness_digest bigint)
        LANGUAGE plpgsql AS $$
        #variable_conflict use_column
        DECLARE v_incarnation int; v_source text;
        BEGIN
          PERFORM pg_advisory_xact_lock(
            1346720766, hashtext(concat_ws(' ', p_pipeline, p_stage, p_log)));
          SELECT max(p.incarnation) INTO v_incarnation FROM conversion.event_positions p
            WHERE p.pipeline = p_pipeline AND p.stage = p_stage AND p.log = p_log;
          IF v_incarnation IS NULL THEN
            UPDATE conversion.event_positions p
              SET pipeline = p_pipeline, stage = p_stage, source = p_log, log = p_log
              WHERE p.pipeline = '' AND p.stage = '' AND p.source = p_former AND p.log IS NULL;
            v_incarnation := 0;
          END IF;
          v_source := p_log || CASE WHEN v_incarnation > 0 THEN '#' || v_incarnation ELSE '' END;
          INSERT INTO conversion.event_positions
              (pipeline, stage, source, partition, next_offset, log, incarnation)
            SELECT p_pipeline, p_stage, v_source, x.part, x.first, p_log, v_incarnation
            FROM unnest(p_parts, p_initial) AS x(part, first) ORDER BY x.part
            ON CONFLICT DO NOTHING;
          RETURN QUERY
            SELECT p.source, p.partition, p.next_offset, p.witness_offset, p.witness_digest
            FROM conversion.event_positions p
            WHERE p.pipeline = p_pipeline AND p.stage = p_stage AND p.source = v_source;
        END $$;

        CREATE FUNCTION conversion.restart_positions(
          p_pipeline text, p_stage text, p_log text, p_source text, p_parts int[],
          p_starts bigint[])
        RETURNS void LANGUAGE plpgsql AS $$
        DECLARE v_incarnation int;
        BEGIN
          PERFORM pg_advisory_xact_lock(
            1346720766, hashtext(concat_ws(' ', p_pipeline, p_stage, p_log)));
          SELECT max(p.incarnation) INTO v_incarnation FROM conversion.event_positions p
            WHERE p.pipeline = p_pipeline AND p.stage = p_stage AND p.log = p_log
              AND p.source = p_source;
          IF v_incarnation IS NULL THEN RETURN; END IF;
          DELETE FROM conversion.event_positions p
            WHERE p.pipeline = p_pipeline AND p.stage = p_stage AND p.log = p_log;
          INSERT INTO conversion.event_positions
              (pipeline, stage, source, partition, next_offset, log, incarnation)
            SELECT p_pipeline, p_stage, p_log || '#' || (v_incarnation + 1), x.part, x.first,
              p_log, v_incarnation + 1
            FROM unnest(p_parts, p_starts) AS x(part, first);
        END $$;
        """

    static let positions = """
        SELECT source, partition, next_offset, witness_offset, witness_digest
        FROM conversion.positions($1, $2, $3, $4, $5, $6)
        """

    static let keepWitnesses = """
        UPDATE conversion.event_positions AS p SET witness_offset = x.o, witness_digest = x.d
        FROM unnest($4::int[], $5::bigint[], $6::bigint[]) AS x(partition, o, d)
        WHERE p.pipeline = $1::text AND p.stage = $2::text AND p.source = $3::text
          AND p.partition = x.partition
        """

    static let restart = "SELECT conversion.restart_positions($1, $2, $3, $4, $5, $6)"

    static let storedPosition = """
        SELECT next_offset FROM conversion.event_positions
        WHERE pipeline = $1::text AND stage = $2::text AND source = $3::text AND partition = $4::int
        """
}
