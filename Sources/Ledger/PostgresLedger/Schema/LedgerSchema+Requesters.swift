internal import Postgres

extension LedgerSchema {
    /// Who asks, where the request says so: the first who asked for a case stays its requester. A
    /// chunk in which nobody says so has no array, and processes of earlier versions have none.
    static let requesters: PostgresScript = """
        alter table penstock.cases add requester text;
        create index cases_of_requester on penstock.cases(stage, requester, case_no)
          where requester is not null;

        -- Joins those who insert under the clamp in force, and tells it: see `tables`.
        create function penstock.enter_gate(p_stage smallint)
        returns timestamptz language plpgsql as $$
        declare v_gate int; v_seen int; v_clamp timestamptz;
        begin
          select gate into v_gate from penstock.stages where stage = p_stage;
          loop
            perform pg_advisory_xact_lock_shared(1346720768 + p_stage, v_gate);
            select gate, clamp into v_seen, v_clamp from penstock.stages where stage = p_stage;
            exit when v_seen = v_gate;
            v_gate := v_seen;
          end loop;
          return v_clamp;
        end $$;

        drop function penstock.accept(
          smallint, interval, uuid[], uuid[], timestamptz[], bytea[], text[], int[], bigint[],
          bigint[], text[]);
        create function penstock.accept(
          p_stage smallint, p_sla interval,
          p_keys uuid[], p_digests uuid[], p_deadlines timestamptz[], p_parameters bytea[],
          p_sources text[], p_parts int[], p_expected bigint[], p_next bigint[],
          p_traces text[] default null, p_requesters text[] default null,
          out conflicts int[], out inserted int, out reopened int, out repeated int)
        language plpgsql set enable_seqscan = off set jit = off as $$
        #variable_conflict use_column
        declare
          v_new bigint[]; v_clamp timestamptz; v_count int;
          v_deadline timestamptz := statement_timestamp() + p_sla;
        begin
          reopened := 0; repeated := 0;
          v_clamp := penstock.enter_gate(p_stage);
          begin
            if cardinality(p_parts) > 0 then
              update penstock.positions p set next_offset = x.next
                from unnest(p_sources, p_parts, p_expected, p_next) x(source, part, expected, next)
                where p.stage = p_stage and p.source = x.source and p.part = x.part
                  and p.next_offset = x.expected;
              get diagnostics v_count = row_count;
              if v_count <> cardinality(p_parts) then
                raise exception 'a position has moved' using errcode = 'PS001';
              end if;
            end if;
            -- In key order: chunks with the same keys wait for each other in one direction only.
            with fresh as (
                insert into penstock.cases(
                  accepted_at, deadline, key, digest, stage, parameters, trace, requester)
                select statement_timestamp(), coalesce(d, v_deadline), k, h, p_stage, p, t, r
                from unnest(p_keys, p_digests, p_deadlines, p_parameters, p_traces, p_requesters)
                  with ordinality x(k, h, d, p, t, r, ord)
                order by k, ord
                on conflict (key, stage, attempt) do nothing
                returning case_no, accepted_at, deadline),
              waiting as (
                insert into penstock.pending(case_no, accepted_at, due, deadline, stage)
                select case_no, accepted_at, greatest(deadline, v_clamp), deadline, p_stage
                from fresh)
            select array_agg(case_no) into v_new from fresh;
            inserted := coalesce(cardinality(v_new), 0);
            if inserted < cardinality(p_keys) then
              -- A new statement: it sees the cases that the others are repeats of.
              with item as materialized (
                  select i.*, row_number() over (partition by k order by i.ord) as nth
                  from unnest(
                    p_keys, p_digests, p_deadlines, p_parameters, p_traces, p_requesters)
                    with ordinality i(k, h, d, p, t, r, ord)),
                known as materialized (
                  select i.*, c.case_no, c.attempt, c.digest, c.requester, c.state,
                    w.no is not null as is_fresh
                  from item i
                  left join lateral (
                    select c.case_no, c.attempt, c.digest, c.requester,
                      (select o.state from penstock.outcomes o where o.case_no = c.case_no) as state
                    from penstock.cases c where c.key = i.k and c.stage = p_stage
                    order by c.attempt desc limit 1) c on true
                  left join unnest(v_new) w(no) on w.no = c.case_no),
                -- Waits for a purge of the attempt before, or holds it off.
                held as materialized (
                  select c.case_no from penstock.cases c
                  where c.case_no = any(array(
                    select case_no from known
                    where state in ('f', 'c', 'e') and h = digest and nth = 1))
                  order by c.case_no for key share),
                again as (
                  insert into penstock.cases(
                    accepted_at, deadline, key, digest, stage, attempt, parameters, trace,
                    requester)
                  select statement_timestamp(), coalesce(d, v_deadline), k, h, p_stage,
                    attempt + 1, p, t, coalesce(requester, r)
                  from known join held using (case_no) where nth = 1 order by k
                  on conflict do nothing returning case_no, accepted_at, deadline, key),
                waiting as (
                  insert into penstock.pending(case_no, accepted_at, due, deadline, stage)
                  select case_no, accepted_at, greatest(deadline, v_clamp), deadline, p_stage
                  from again)
              select array_agg(ord::int - 1 order by ord) filter (where h <> digest),
                count(*) filter (where nth = 1 and a.case_no is not null),
                count(*) filter (where not (nth = 1 and (is_fresh or a.case_no is not null))),
                count(*) filter (where known.case_no is null or (
                  state in ('f', 'c', 'e') and h = digest and nth = 1 and held.case_no is null))
                into conflicts, reopened, repeated, v_count
                from known left join again a on a.key = k
                left join held on held.case_no = known.case_no;
              if v_count > 0 then
                raise exception 'a case was purged meanwhile' using errcode = '40001';
              end if;
              if conflicts is not null then raise exception using errcode = 'PS006'; end if;
            end if;
          exception when sqlstate 'PS006' then
            inserted := 0; reopened := 0; repeated := 0;
          end;
        end $$;
        """
}
