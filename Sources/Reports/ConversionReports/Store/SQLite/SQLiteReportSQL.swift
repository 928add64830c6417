internal import SQLite

/// The statements of the SQLite store. Times are microseconds since 1970, none before it.
enum SQLiteReportSQL {
    /// `''` stands for no checkout; `kind` is `V` or `P`.
    static let schema = """
        CREATE TABLE conversion_events(
          occurred_at INTEGER NOT NULL, product_id TEXT NOT NULL,
          checkout_id TEXT NOT NULL DEFAULT '', kind TEXT NOT NULL CHECK (kind IN ('V', 'P')),
          count INTEGER NOT NULL DEFAULT 1 CHECK (count > 0), event_id BLOB NOT NULL);
        CREATE INDEX conversion_events_edge ON conversion_events(
          product_id, occurred_at, checkout_id, kind, count);
        CREATE TABLE conversion_rollup_hour(
          product_id TEXT NOT NULL, bucket INTEGER NOT NULL, checkout_id TEXT NOT NULL,
          views INTEGER NOT NULL, payments INTEGER NOT NULL,
          PRIMARY KEY(product_id, bucket, checkout_id)) WITHOUT ROWID;
        CREATE TABLE conversion_rollup_day(
          product_id TEXT NOT NULL, bucket INTEGER NOT NULL, checkout_id TEXT NOT NULL,
          views INTEGER NOT NULL, payments INTEGER NOT NULL,
          PRIMARY KEY(product_id, bucket, checkout_id)) WITHOUT ROWID;
        CREATE TABLE conversion_rollup_deltas(
          product_id TEXT NOT NULL, bucket INTEGER NOT NULL, checkout_id TEXT NOT NULL,
          views INTEGER NOT NULL, payments INTEGER NOT NULL);
        CREATE INDEX conversion_rollup_deltas_key
          ON conversion_rollup_deltas(product_id, bucket);
        CREATE TABLE conversion_event_positions(
          source TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
          PRIMARY KEY(source, partition)) WITHOUT ROWID;
        """

    /// Positions belong to a stage and a log. Rows of earlier versions knew neither: they belong to
    /// nobody yet.
    static let ownedPositions = """
        CREATE TABLE conversion_owned_positions(
          pipeline TEXT NOT NULL, stage TEXT NOT NULL, source TEXT NOT NULL,
          partition INTEGER NOT NULL, next_offset INTEGER NOT NULL, log TEXT,
          incarnation INTEGER NOT NULL DEFAULT 0, witness_offset INTEGER, witness_digest INTEGER,
          PRIMARY KEY(pipeline, stage, source, partition)) WITHOUT ROWID;
        INSERT INTO conversion_owned_positions(pipeline, stage, source, partition, next_offset)
          SELECT '', '', source, partition, next_offset FROM conversion_event_positions;
        DROP TABLE conversion_event_positions;
        ALTER TABLE conversion_owned_positions RENAME TO conversion_event_positions;
        """

    static let positions = PositionTable(
        "conversion_event_positions", owner: ["pipeline", "stage"],
        formerOwner: "pipeline = '' AND stage = ''")
    static let position = """
        SELECT next_offset FROM conversion_event_positions
        WHERE pipeline = ?1 AND stage = ?2 AND source = ?3 AND partition = ?4
        """
    static let setPosition = """
        UPDATE conversion_event_positions SET next_offset = ?5
        WHERE pipeline = ?1 AND stage = ?2 AND source = ?3 AND partition = ?4
        """
    static let insertDelta = """
        INSERT INTO conversion_rollup_deltas(product_id, bucket, checkout_id, views, payments)
        VALUES (CAST(?1 AS TEXT), ?2, CAST(?3 AS TEXT), ?4, ?5)
        """
    static let insertEvent = """
        INSERT INTO conversion_events(
          occurred_at, product_id, checkout_id, kind, count, event_id)
        VALUES (?1, CAST(?2 AS TEXT), CAST(?3 AS TEXT), ?4, ?5, ?6)
        """

    /// The last of the first `?1` deltas, and how many these are.
    static let foldBound = """
        SELECT max(rowid), count(*) FROM (
          SELECT rowid FROM conversion_rollup_deltas ORDER BY rowid LIMIT ?1)
        """
    static let foldHours = fold(into: "conversion_rollup_hour", bucket: "bucket")
    static let foldDays = fold(
        into: "conversion_rollup_day", bucket: "bucket / 86400000000 * 86400000000")
    static let deleteFolded = "DELETE FROM conversion_rollup_deltas WHERE rowid <= ?1"

    private static func fold(into table: String, bucket: String) -> String {
        """
        INSERT INTO \(table)(product_id, bucket, checkout_id, views, payments)
        SELECT product_id, \(bucket), checkout_id, sum(views), sum(payments)
        FROM conversion_rollup_deltas WHERE rowid <= ?1 GROUP BY 1, 2, 3
        ON CONFLICT DO UPDATE
        SET views = views + excluded.views, payments = payments + excluded.payments
        """
    }

    /// Answers the queries of `?1`, a JSON array of `[product, checkout | null, start, end]`.
    ///
    /// Parts as in PostgreSQL's statement; CROSS JOIN keeps the queries outside, so that each part
    /// is an index scan.
    static let read = """
        WITH r AS MATERIALIZED (
          SELECT key AS ord, value->>0 AS product_id, value->>1 AS checkout_id,
            value->>2 AS s, value->>3 AS e
          FROM json_each(?1)),
        d0 AS (
          SELECT product_id, checkout_id, s, e, json_group_array(ord) AS ords
          FROM r GROUP BY product_id, checkout_id, s, e),
        d1 AS (
          SELECT *, (s + 3599999999) / 3600000000 * 3600000000 AS h1,
            e / 3600000000 * 3600000000 AS h2
          FROM d0),
        q AS MATERIALIZED (
          SELECT *, row_number() OVER () AS id, min(h1, e) AS s2, max(h2, h1) AS e1,
            (h1 + 86399999999) / 86400000000 * 86400000000 AS d1,
            h2 / 86400000000 * 86400000000 AS d2
          FROM d1),
        parts AS (
          \(rollup("conversion_rollup_day", "q.d1", "q.d2"))
          UNION ALL \(rollup("conversion_rollup_hour", "q.h1", "min(q.d1, q.h2)"))
          UNION ALL \(rollup("conversion_rollup_hour", "max(q.d2, q.d1)", "q.h2"))
          UNION ALL \(rollup("conversion_rollup_deltas", "q.h1", "q.h2"))
          UNION ALL \(edge("q.s", "q.s2"))
          UNION ALL \(edge("q.e1", "q.e"))),
        a AS MATERIALIZED (
          SELECT id, sum(v) AS v, sum(p) AS p, sum(n) AS n FROM parts GROUP BY id)
        SELECT o.value, coalesce(a.v, 0), coalesce(a.p, 0),
          CASE WHEN o.key = 0 THEN coalesce(a.n, 0) ELSE 0 END
        FROM q LEFT JOIN a ON a.id = q.id CROSS JOIN json_each(q.ords) o
        """

    private static func rollup(_ table: String, _ from: String, _ to: String) -> String {
        part(table, "bucket", from, to, views: "b.views", payments: "b.payments")
    }

    private static func edge(_ from: String, _ to: String) -> String {
        part(
            "conversion_events", "occurred_at", from, to,
            views: "CASE WHEN b.kind = 'V' THEN b.count ELSE 0 END",
            payments: "CASE WHEN b.kind = 'P' THEN b.count ELSE 0 END")
    }

    private static func part(
        _ table: String, _ time: String, _ from: String, _ to: String, views: String,
        payments: String
    ) -> String {
        """
        SELECT q.id AS id, sum(\(views)) AS v, sum(\(payments)) AS p, count(*) AS n
          FROM q CROSS JOIN \(table) b
          WHERE \(from) < \(to) AND b.product_id = q.product_id
            AND b.\(time) >= \(from) AND b.\(time) < \(to)
            AND (q.checkout_id IS NULL OR b.checkout_id = q.checkout_id) GROUP BY q.id
        """
    }
}
