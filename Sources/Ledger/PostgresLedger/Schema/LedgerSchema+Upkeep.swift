internal import Postgres

extension LedgerSchema {
    static let upkeep: PostgresScript = """
        -- Takes the stage's lock: a sealer's count stays exact.
        create function penstock.end_pending(
          p_stage smallint, p_keys uuid[], p_state "char", p_closed_by text, p_reason text)
        returns int language plpgsql set enable_seqscan = off set jit = off as $$
        declare r penstock.stages; v_cases bigint[]; v_batch bigint;
        begin
          select * into r from penstock.stages where stage = p_stage for update;
          with gone as (
            delete from penstock.pending p where p.stage = p_stage and p.case_no = any(array(
              select s.case_no from penstock.snapshots(p_stage, p_keys) s where s.state = 'p'))
            returning p.case_no)
          select array_agg(case_no order by case_no) into v_cases from gone;
          if v_cases is null then return 0; end if;
          insert into penstock.batches(
              stage, cases, closed_by, revision, sealed_at, committed_at, done_at)
            values (p_stage, v_cases, p_closed_by, r.revision, clock_timestamp(), clock_timestamp(),
              clock_timestamp()) returning batch_no into v_batch;
          insert into penstock.outcomes(case_no, batch_no, written_at, outcome_id, state, reason)
            select no, v_batch, clock_timestamp(), gen_random_uuid(), p_state, p_reason
            from unnest(v_cases) no;
          return cardinality(v_cases);
        end $$;

        -- Deletes one finished batch; null when there is none. Of a case that was opened again the
        -- earlier attempts stay, without outcomes, until the last one goes: else the case would be
        -- taken for new.
        create function penstock.purge(p_stage smallint, p_before timestamptz)
        returns int language plpgsql set enable_seqscan = off set jit = off as $$
        declare b penstock.batches;
        begin
          select * into b from penstock.batches where stage = p_stage and done_at < p_before
            order by done_at limit 1 for update skip locked;
          if not found then return null; end if;
          delete from penstock.outcomes where case_no = any(b.cases);
          -- One that is being opened again is waited for: its next attempt is seen below.
          perform from penstock.cases where case_no = any(b.cases) order by case_no for update;
          with gone as (
              delete from penstock.cases c where c.case_no = any(b.cases) and not exists (
                select from penstock.cases l
                where l.key = c.key and l.stage = c.stage and l.attempt > c.attempt)
              returning c.key, c.stage, c.attempt)
          delete from penstock.cases where case_no = any(array(
            select e.case_no from gone g
            join penstock.cases e on e.key = g.key and e.stage = g.stage and e.attempt < g.attempt
            where not exists (select from penstock.outcomes o where o.case_no = e.case_no)));
          delete from penstock.deliveries where batch_no = b.batch_no;
          delete from penstock.batches where batch_no = b.batch_no;
          if b.seconds is not null then
            update penstock.stages set purged_cases = purged_cases + cardinality(b.cases),
              purged_seconds = purged_seconds + b.seconds where stage = p_stage;
          end if;
          return cardinality(b.cases);
        end $$;

        create function penstock.summary(
          p_stage smallint, out pending bigint, out open bigint, out committed bigint,
          out undelivered bigint, out cases bigint, out seconds float8)
        language plpgsql as $$
        begin
          select (select count(*) from (
              select from penstock.pending p where p.stage = p_stage limit 10000) x),
            count(*) filter (where b.committed_at is null),
            count(*) filter (where b.committed_at is not null),
            (select count(*) from penstock.deliveries d
              where d.stage = p_stage and d.delivered_at is null),
            coalesce(sum(cardinality(b.cases)) filter (where b.seconds is not null), 0)
              + (select purged_cases from penstock.stages s where s.stage = p_stage),
            coalesce(sum(b.seconds), 0)
              + (select purged_seconds from penstock.stages s where s.stage = p_stage)
            into pending, open, committed, undelivered, cases, seconds
            from penstock.batches b where b.stage = p_stage;
        end $$;
        """
}
