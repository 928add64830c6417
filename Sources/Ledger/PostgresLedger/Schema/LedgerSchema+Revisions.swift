internal import Postgres

extension LedgerSchema {
    /// Readers and sinks learn the revision of an outcome (its case's attempt), a commit
    /// says when it was, by the store's clock, and a dedupe asks which cases a repeat opens again.
    static let revisions: PostgresScript = """
        drop function penstock.snapshots(smallint, uuid[]);
        create function penstock.snapshots(p_stage smallint, p_keys uuid[])
        returns table(
          key uuid, state "char", accepted_at timestamptz, deadline timestamptz, case_no bigint,
          batch_no bigint, outcome_id uuid, reason text, report bytea, data_as_of timestamptz,
          written_at timestamptz, parameters bytea, attempt smallint)
        language plpgsql set enable_seqscan = off set jit = off as $$
        #variable_conflict use_column
        begin
          return query
            select k.key,
              coalesce(o.state, (case
                when p.case_no is not null then 'p'
                -- Only leased batches are looked into, once for all keys.
                when c.case_no in (
                  select unnest(b.cases) from penstock.batches b
                  where b.stage = p_stage and b.committed_at is null
                    and b.lease_until > statement_timestamp()) then 'r'
                else 'g' end)::"char"),
              c.accepted_at, c.deadline, c.case_no, o.batch_no, o.outcome_id, o.reason, o.report,
              o.data_as_of, o.written_at, case when o.case_no is not null then c.parameters end,
              c.attempt
            from unnest(p_keys) k(key)
            cross join lateral (
              select * from penstock.cases c where c.key = k.key and c.stage = p_stage
              order by c.attempt desc limit 1) c
            left join lateral (
              select * from penstock.outcomes o where o.case_no = c.case_no limit 1) o on true
            left join lateral (
              select p.case_no from penstock.pending p
              where p.stage = p_stage and p.case_no = c.case_no and o.case_no is null
              limit 1) p on true;
        end $$;

        -- Those of the cases whose last attempt has failed, was cancelled or has expired.
        create function penstock.reopenable(p_stage smallint, p_keys uuid[])
        returns setof uuid language plpgsql set enable_seqscan = off set jit = off as $$
        begin
          return query
            select k.key from unnest(p_keys) k(key)
            cross join lateral (
              select c.case_no from penstock.cases c where c.key = k.key and c.stage = p_stage
              order by c.attempt desc limit 1) c
            cross join lateral (
              select o.state from penstock.outcomes o where o.case_no = c.case_no limit 1) o
            where o.state in ('f', 'c', 'e');
        end $$;

        drop function penstock.claim_delivery(smallint, text, text, interval);
        create function penstock.claim_delivery(
          p_stage smallint, p_sink text, p_worker text, p_lease interval)
        returns table(
          batch_no bigint, token bigint, outcome_id uuid, case_no bigint, key uuid, state "char",
          reason text, report bytea, data_as_of timestamptz, written_at timestamptz,
          deadline timestamptz, parameters bytea, attempt smallint)
        language plpgsql set enable_seqscan = off set jit = off as $$
        #variable_conflict use_column
        declare d penstock.deliveries;
        begin
          update penstock.deliveries x set
            token = x.token + 1, attempts = x.attempts + 1, worker = p_worker,
            lease_until = clock_timestamp() + p_lease, not_before = null
            where x.sink = p_sink and x.batch_no = (
              select batch_no from penstock.deliveries
              where stage = p_stage and sink = p_sink and delivered_at is null
                and (lease_until is null or lease_until < clock_timestamp())
                and (not_before is null or not_before <= clock_timestamp())
              order by batch_no limit 1 for update skip locked)
            returning * into d;
          if not found then return; end if;
          return query
            select d.batch_no, d.token, o.outcome_id, c.case_no, c.key, o.state, o.reason, o.report,
              o.data_as_of, o.written_at, c.deadline, c.parameters, c.attempt
            from penstock.batches b
            cross join lateral unnest(b.cases) with ordinality u(no, ord)
            cross join lateral (select * from penstock.cases c where c.case_no = u.no limit 1) c
            cross join lateral (select * from penstock.outcomes o where o.case_no = u.no limit 1) o
            where b.batch_no = d.batch_no order by u.ord;
        end $$;

        drop function penstock.commit_outcomes(
          bigint, bigint, timestamptz, text[], bigint[], uuid[], "char"[], text[], bytea[], float8,
          bigint);
        -- Answers when the batch was committed: for a repeat, the first time.
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
              join penstock.outcomes o on o.case_no = x.no and o.outcome_id = x.id
                and o.batch_no = mine.batch_no
              where mine.batch_no = p_batch and mine.token = p_token
                and cardinality(mine.cases) = cardinality(p_cases);
            if n > 0 and n = cardinality(p_cases) then
              return (select x.committed_at from penstock.batches x where x.batch_no = p_batch);
            end if;
            raise exception 'the lease was lost' using errcode = 'PS004';
          end if;
          insert into penstock.outcomes(
              case_no, batch_no, written_at, data_as_of, outcome_id, state, reason, report)
            select u.no, p_batch, b.committed_at, p_data_as_of, x.id, x.state, x.reason, x.report
            from unnest(b.cases) u(no)
            join unnest(p_cases, p_ids, p_states, p_reasons, p_reports)
              x(no, id, state, reason, report) using (no);
          get diagnostics n = row_count;
          if n <> cardinality(b.cases) or n <> cardinality(p_cases) then
            raise exception 'not the outcomes of the batch''s cases' using errcode = 'PS005';
          end if;
          insert into penstock.deliveries(batch_no, sink, stage)
            select p_batch, s, b.stage from unnest(p_sinks) s;
          return b.committed_at;
        end $$;
        """

    /// A claim tells when its cases were accepted, so that their wait can be measured; and batches
    /// are listed by stage, newest first.
    static let waits: PostgresScript = """
        drop function penstock.claim(smallint, text, interval);
        create function penstock.claim(p_stage smallint, p_worker text, p_lease interval)
        returns table(
          batch_no bigint, token bigint, attempts int, closed_by text, sealed_at timestamptz,
          case_no bigint, key uuid, deadline timestamptz, parameters bytea, accepted_at timestamptz)
        language plpgsql set enable_seqscan = off set jit = off as $$
        #variable_conflict use_column
        declare b penstock.batches;
        begin
          update penstock.batches x set
            token = x.token + 1, attempts = x.attempts + 1, worker = p_worker,
            lease_until = clock_timestamp() + p_lease, not_before = null
            where x.batch_no = (
              select batch_no from penstock.batches
              where stage = p_stage and committed_at is null
                and (lease_until is null or lease_until < clock_timestamp())
                and (not_before is null or not_before <= clock_timestamp())
              order by batch_no limit 1 for update skip locked)
            returning * into b;
          if not found then return; end if;
          return query
            select b.batch_no, b.token, b.attempts, b.closed_by, b.sealed_at,
              c.case_no, c.key, c.deadline, c.parameters, c.accepted_at
            from unnest(b.cases) with ordinality u(no, ord)
            cross join lateral (select * from penstock.cases c where c.case_no = u.no limit 1) c
            order by u.ord;
        end $$;

        create index batches_newest on penstock.batches(stage, batch_no desc);
        """

    /// What operators hold up: `seal`, `generate`, `deliver:` and a sink.
    static let pauses: PostgresScript = """
        create table penstock.pauses(
          stage smallint, part text, since timestamptz not null default clock_timestamp(),
          reason text not null, primary key(stage, part));
        """

    /// What operators have changed, and who they were.
    static let changes: PostgresScript = """
        create table penstock.changes(
          change_no bigint generated always as identity primary key, stage smallint not null,
          at timestamptz not null default clock_timestamp(), actor text not null,
          action text not null);
        create index changes_stage on penstock.changes(stage, change_no);
        """
}
