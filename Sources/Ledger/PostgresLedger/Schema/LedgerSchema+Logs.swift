internal import Postgres

extension LedgerSchema {
    /// Positions belong to logs, no longer to topics: rows without a log are of earlier versions, and are taken over.
    ///
    /// `source` is the log's key and the number of the log that has it now, so that positions of the one before can't be
    /// advanced any more. The lock keeps a position from being stored for a log that is just being replaced.
    static let logs: PostgresScript = """
        alter table penstock.positions
          add log text, add incarnation int not null default 0,
          add witness_offset bigint, add witness_digest bigint;

        drop function penstock.positions(smallint, text, int[], bigint[]);
        create function penstock.positions(
          p_stage smallint, p_log text, p_former text, p_parts int[], p_initial bigint[])
        returns table(
          source text, part int, next_offset bigint, witness_offset bigint, witness_digest bigint)
        language plpgsql as $$
        #variable_conflict use_column
        declare v_incarnation int; v_source text;
        begin
          perform pg_advisory_xact_lock(1346720767, hashtext(p_stage || ' ' || p_log));
          select max(p.incarnation) into v_incarnation from penstock.positions p
            where p.stage = p_stage and p.log = p_log;
          if v_incarnation is null then
            update penstock.positions p set source = p_log, log = p_log
              where p.stage = p_stage and p.source = p_former and p.log is null;
            v_incarnation := 0;
          end if;
          v_source := p_log || case when v_incarnation > 0 then '#' || v_incarnation else '' end;
          insert into penstock.positions(stage, source, part, next_offset, log, incarnation)
            select p_stage, v_source, x.part, x.first, p_log, v_incarnation
            from unnest(p_parts, p_initial) x(part, first) order by x.part on conflict do nothing;
          return query
            select p.source, p.part, p.next_offset, p.witness_offset, p.witness_digest
            from penstock.positions p where p.stage = p_stage and p.source = v_source;
        end $$;

        create function penstock.restart_positions(
          p_stage smallint, p_log text, p_source text, p_parts int[], p_starts bigint[])
        returns void language plpgsql as $$
        declare v_incarnation int;
        begin
          perform pg_advisory_xact_lock(1346720767, hashtext(p_stage || ' ' || p_log));
          select max(p.incarnation) into v_incarnation from penstock.positions p
            where p.stage = p_stage and p.log = p_log and p.source = p_source;
          if v_incarnation is null then return; end if;
          delete from penstock.positions p where p.stage = p_stage and p.log = p_log;
          insert into penstock.positions(stage, source, part, next_offset, log, incarnation)
            select p_stage, p_log || '#' || (v_incarnation + 1), x.part, x.first, p_log,
              v_incarnation + 1
            from unnest(p_parts, p_starts) x(part, first);
        end $$;
        """
}
