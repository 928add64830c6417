internal import Postgres

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
