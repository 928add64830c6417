internal import Postgres

extension LedgerSchema {
    /// Finished cases can be generated anew, one by one; all attempts at a case have its requester,
    /// whom readers are told.
    static let refreshing: PostgresScript = """
        -- Of a case that is replayed, the attempt before answers: `attempt` is its, `newest` the one
        -- to come. Cases with one attempt never get there.
        drop function penstock.snapshots(smallint, uuid[]);
        create function penstock.snapshots(p_stage smallint, p_keys uuid[])
        returns table(
          key uuid, state "char", accepted_at timestamptz, deadline timestamptz, case_no bigint,
          batch_no bigint, outcome_id uuid, reason text, report bytea, data_as_of timestamptz,
          written_at timestamptz, parameters bytea, attempt smallint, newest smallint,
          requester text)
        language plpgsql set enable_seqscan = off set jit = off as $$
        #variable_conflict use_column
        begin
          return query
            select k.key,
              coalesce(a.state, (case
                when p.case_no is not null then 'p'
                -- Only leased batches are looked into, once for all keys.
                when c.case_no in (
                  select unnest(b.cases) from penstock.batches b
                  where b.stage = p_stage and b.committed_at is null
                    and b.lease_until > statement_timestamp()) then 'r'
                else 'g' end)::"char"),
              coalesce(a.accepted_at, c.accepted_at), coalesce(a.deadline, c.deadline),
              coalesce(a.case_no, c.case_no), a.batch_no, a.outcome_id, a.reason, a.report,
              a.data_as_of, a.written_at, a.parameters, coalesce(a.attempt, c.attempt), c.attempt,
              c.requester
            from unnest(p_keys) k(key)
            cross join lateral (
              select * from penstock.cases c where c.key = k.key and c.stage = p_stage
              order by c.attempt desc limit 1) c
            left join lateral (
              (select c.accepted_at, c.deadline, c.parameters, c.attempt, o.*
                from penstock.outcomes o where o.case_no = c.case_no limit 1)
              union all
              (select e.accepted_at, e.deadline, e.parameters, e.attempt, o.*
                from penstock.cases e
                cross join lateral (
                  select * from penstock.outcomes o
                  where o.case_no = e.case_no and o.state = 's' limit 1) o
                where c.attempt > 1 and e.key = k.key and e.stage = p_stage
                  and e.attempt = c.attempt - 1
                  and not exists (select from penstock.outcomes n where n.case_no = c.case_no)
                limit 1)
              limit 1) a on true
            left join lateral (
              select p.case_no from penstock.pending p
              where p.stage = p_stage and p.case_no = c.case_no and a.case_no is null
              limit 1) p on true;
        end $$;

        -- Locks the batch: a purge passes it over, and another replay of it waits, and finds what
        -- this one has opened. A repeat of a failed case's request may open it first.
        drop function penstock.replay_batch(smallint, bigint, interval);
        create function penstock.replay_batch(
          p_stage smallint, p_batch bigint, p_sla interval,
          out is_committed boolean, out batch_no bigint, out replayed int, out in_work int,
          out answered_since int, out ended int)
        language plpgsql set enable_seqscan = off set jit = off as $$
        #variable_conflict use_column
        declare v_cases bigint[]; v_again bigint[]; v_now timestamptz; v_deadline timestamptz;
        begin
          select b.cases, b.committed_at is not null into v_cases, is_committed
            from penstock.batches b where b.batch_no = p_batch and b.stage = p_stage for update;
          if is_committed is not true then return; end if;
          v_now := clock_timestamp(); v_deadline := v_now + p_sla;
          with item as materialized (
              select u.ord, c.case_no, c.key, c.digest, c.attempt, c.parameters, c.trace,
                c.requester, o.state,
                n.case_no <> c.case_no as is_reopened, exists (
                  select from penstock.outcomes x where x.case_no = n.case_no) as is_answered
              from unnest(v_cases) with ordinality u(no, ord)
              cross join lateral (select * from penstock.cases c where c.case_no = u.no limit 1) c
              cross join lateral (
                select * from penstock.outcomes o where o.case_no = u.no limit 1) o
              cross join lateral (
                select n.case_no from penstock.cases n where n.key = c.key and n.stage = p_stage
                order by n.attempt desc limit 1) n),
            -- In key order, as `accept` does.
            again as (
              insert into penstock.cases(
                accepted_at, deadline, key, digest, stage, attempt, parameters, trace, requester)
              select v_now, v_deadline, i.key, i.digest, p_stage, i.attempt + 1, i.parameters,
                i.trace, i.requester
              from item i where not i.is_reopened and i.state in ('s', 'f') order by i.key
              on conflict do nothing returning case_no, key)
          select array_agg(a.case_no order by i.ord) filter (where a.case_no is not null),
              count(a.case_no), count(*) filter (where i.is_reopened and i.is_answered),
              count(*) filter (where not i.is_reopened and i.state not in ('s', 'f'))
            into v_again, replayed, answered_since, ended
            from item i left join again a on a.key = i.key;
          in_work := cardinality(v_cases) - replayed - answered_since - ended;
          if replayed > 0 then
            insert into penstock.batches(stage, cases, closed_by, revision, sealed_at, due)
              select p_stage, v_again, 'replay', s.revision, v_now, v_deadline
              from penstock.stages s where s.stage = p_stage returning batches.batch_no into batch_no;
          end if;
        end $$;

        -- A repeat finds the case opened, and does nothing. Waits for a purge of the attempt
        -- before, or holds it off.
        create function penstock.refresh_cases(p_stage smallint, p_keys uuid[], p_sla interval)
        returns int language plpgsql set enable_seqscan = off set jit = off as $$
        declare
          v_clamp timestamptz := penstock.enter_gate(p_stage);
          v_deadline timestamptz := statement_timestamp() + p_sla;
          v_count int;
        begin
          with newest as materialized (
              select c.* from (select distinct k.key from unnest(p_keys) k(key)) k
              cross join lateral (
                select * from penstock.cases c where c.key = k.key and c.stage = p_stage
                order by c.attempt desc limit 1) c
              where exists (select from penstock.outcomes o where o.case_no = c.case_no)),
            held as materialized (
              select c.case_no from penstock.cases c
              where c.case_no = any(array(select n.case_no from newest n))
              order by c.case_no for key share),
            again as (
              insert into penstock.cases(
                accepted_at, deadline, key, digest, stage, attempt, parameters, trace, requester)
              select statement_timestamp(), v_deadline, n.key, n.digest, p_stage, n.attempt + 1,
                n.parameters, n.trace, n.requester
              from newest n join held using (case_no) order by n.key
              on conflict do nothing returning case_no, accepted_at, deadline),
            waiting as (
              insert into penstock.pending(case_no, accepted_at, due, deadline, stage)
              select a.case_no, a.accepted_at, greatest(a.deadline, v_clamp), a.deadline, p_stage
              from again a)
          select count(*) into v_count from again;
          return v_count;
        end $$;
        """
}
