internal import Postgres

extension LedgerSchema {
    /// A case can be ended until its batch is committed: it has an outcome of its own then, and the
    /// batch goes on with the others.
    static let endings: PostgresScript = """
        drop function penstock.end_pending(smallint, uuid[], "char", text, text);
        -- Cases that wait are taken out of the open batch, under the stage's lock, so that a
        -- sealer's count stays exact. Those of an open batch are ended under the batch's lock, which
        -- a commit and a division take, too: the first of them holds. A division makes other batches
        -- of the cases, so that they are looked for again.
        create function penstock.end_cases(
          p_stage smallint, p_keys uuid[], p_state "char", p_closed_by text, p_reason text,
          p_sinks text[])
        returns int language plpgsql set enable_seqscan = off set jit = off as $$
        declare
          r penstock.stages; v_cases bigint[]; v_batch bigint; v_open bigint[]; v_locked bigint[];
          v_ended int; v_total int := 0;
        begin
          if exists (select from penstock.snapshots(p_stage, p_keys) s where s.state = 'p') then
            select * into r from penstock.stages where stage = p_stage for update;
            with gone as (
              delete from penstock.pending p where p.stage = p_stage and p.case_no = any(array(
                select s.case_no from penstock.snapshots(p_stage, p_keys) s where s.state = 'p'))
              returning p.case_no)
            select array_agg(case_no order by case_no) into v_cases from gone;
          end if;
          if v_cases is not null then
            insert into penstock.batches(
                stage, cases, closed_by, revision, sealed_at, committed_at, done_at)
              values (p_stage, v_cases, p_closed_by, r.revision, clock_timestamp(),
                clock_timestamp(),
                case when cardinality(p_sinks) = 0 then clock_timestamp() end)
              returning batch_no into v_batch;
            insert into penstock.deliveries(batch_no, sink, stage)
              select v_batch, s, p_stage from unnest(p_sinks) s;
            insert into penstock.outcomes(case_no, batch_no, written_at, outcome_id, state, reason)
              select no, v_batch, clock_timestamp(), gen_random_uuid(), p_state, p_reason
              from unnest(v_cases) no;
            v_total := cardinality(v_cases);
          end if;
          for i in 1..4 loop
            v_open := array(select s.case_no from penstock.snapshots(p_stage, p_keys) s
              where s.state in ('g', 'r'));
            exit when cardinality(v_open) = 0;
            v_locked := array(
              select b.batch_no from penstock.batches b
              where b.stage = p_stage and b.committed_at is null and b.cases && v_open
              order by b.batch_no for update);
            insert into penstock.outcomes(case_no, batch_no, written_at, outcome_id, state, reason)
              select u.no, b.batch_no, clock_timestamp(), gen_random_uuid(), p_state, p_reason
              from penstock.batches b cross join unnest(b.cases) u(no)
              where b.batch_no = any(v_locked) and b.committed_at is null and u.no = any(v_open)
              on conflict do nothing;
            get diagnostics v_ended = row_count;
            v_total := v_total + v_ended;
          end loop;
          return v_total;
        end $$;

        drop function penstock.commit_outcomes(
          bigint, bigint, timestamptz, text[], bigint[], uuid[], "char"[], text[], bytea[], float8,
          bigint);
        -- Answers when the batch was committed: for a repeat, the first time. A case that was ended
        -- meanwhile has its outcome, and keeps it.
        create function penstock.commit_outcomes(
          p_batch bigint, p_token bigint, p_data_as_of timestamptz, p_sinks text[],
          p_cases bigint[], p_ids uuid[], p_states "char"[], p_reasons text[], p_reports bytea[],
          p_seconds float8, p_rows_read bigint)
        returns timestamptz language plpgsql set enable_seqscan = off set jit = off as $$
        declare b penstock.batches; n int;
        begin
          update penstock.batches set
            committed_at = clock_timestamp(), lease_until = null,
            done_at = case when cardinality(p_sinks) = 0 then clock_timestamp() end,
            seconds = p_seconds, rows_read = p_rows_read
            where batch_no = p_batch and token = p_token and committed_at is null
            returning * into b;
          if not found then
            select count(*) into n from penstock.batches mine
              cross join unnest(p_cases, p_ids) x(no, id)
              join penstock.outcomes o on o.case_no = x.no
                and (o.outcome_id = x.id and o.batch_no = mine.batch_no or o.state in ('c', 'e'))
              where mine.batch_no = p_batch and mine.token = p_token
                and mine.committed_at is not null
                and cardinality(mine.cases) = cardinality(p_cases);
            if n > 0 and n = cardinality(p_cases) then
              return (select x.committed_at from penstock.batches x where x.batch_no = p_batch);
            end if;
            raise exception 'the lease was lost' using errcode = 'PS004';
          end if;
          select count(*) into n from unnest(b.cases) u(no) join unnest(p_cases) x(no) using (no);
          if n <> cardinality(b.cases) or n <> cardinality(p_cases) then
            raise exception 'not the outcomes of the batch''s cases' using errcode = 'PS005';
          end if;
          insert into penstock.outcomes(
              case_no, batch_no, written_at, data_as_of, outcome_id, state, reason, report)
            select x.no, p_batch, b.committed_at, p_data_as_of, x.id, x.state, x.reason, x.report
            from unnest(p_cases, p_ids, p_states, p_reasons, p_reports)
              x(no, id, state, reason, report)
            on conflict do nothing;
          insert into penstock.deliveries(batch_no, sink, stage)
            select p_batch, s, b.stage from unnest(p_sinks) s;
          return b.committed_at;
        end $$;
        """
}
