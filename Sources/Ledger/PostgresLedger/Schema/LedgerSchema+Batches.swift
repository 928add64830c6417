internal import Postgres

extension LedgerSchema {
    static let claiming: PostgresScript = """
        create function penstock.claim(p_stage smallint, p_worker text, p_lease interval)
        returns table(
          batch_no bigint, token bigint, attempts int, closed_by text, sealed_at timestamptz,
          case_no bigint, key uuid, deadline timestamptz, parameters bytea)
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
              c.case_no, c.key, c.deadline, c.parameters
            from unnest(b.cases) with ordinality u(no, ord)
            cross join lateral (select * from penstock.cases c where c.case_no = u.no limit 1) c
            order by u.ord;
        end $$;
        """

    /// The same commit again is found to be there already, by its token and its outcomes' ids.
    static let commit: PostgresScript = """
        create function penstock.commit_outcomes(
          p_batch bigint, p_token bigint, p_data_as_of timestamptz, p_sinks text[],
          p_cases bigint[], p_ids uuid[], p_states "char"[], p_reasons text[], p_reports bytea[],
          p_seconds float8, p_rows_read bigint)
        returns void language plpgsql set enable_seqscan = off set jit = off as $$
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
            if n > 0 and n = cardinality(p_cases) then return; end if;
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
        end $$;
        """

    static let bisect: PostgresScript = """
        create function penstock.bisect(p_batch bigint, p_token bigint)
        returns void language plpgsql set enable_seqscan = off set jit = off as $$
        declare b penstock.batches; v_half int; v_part bigint[];
        begin
          delete from penstock.batches
            where batch_no = p_batch and token = p_token and committed_at is null
            returning * into b;
          if not found then raise exception 'the lease was lost' using errcode = 'PS004'; end if;
          v_half := (cardinality(b.cases) + 1) / 2;
          if v_half = cardinality(b.cases) then
            raise exception 'a single case can''t be divided' using errcode = 'PS007';
          end if;
          for i in 0..1 loop
            v_part := case i when 0 then b.cases[:v_half] else b.cases[v_half + 1:] end;
            insert into penstock.batches(
                stage, cases, closed_by, revision, sealed_at, split_from, due)
              select b.stage, v_part, b.closed_by, b.revision, b.sealed_at, b.batch_no,
                min(c.deadline) from penstock.cases c where c.case_no = any(v_part);
          end loop;
        end $$;
        """
}

extension LedgerSchema {
    static let deliveries: PostgresScript = """
        create function penstock.claim_delivery(
          p_stage smallint, p_sink text, p_worker text, p_lease interval)
        returns table(
          batch_no bigint, token bigint, outcome_id uuid, case_no bigint, key uuid, state "char",
          reason text, report bytea, data_as_of timestamptz, written_at timestamptz,
          deadline timestamptz, parameters bytea)
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
              o.data_as_of, o.written_at, c.deadline, c.parameters
            from penstock.batches b
            cross join lateral unnest(b.cases) with ordinality u(no, ord)
            cross join lateral (select * from penstock.cases c where c.case_no = u.no limit 1) c
            cross join lateral (select * from penstock.outcomes o where o.case_no = u.no limit 1) o
            where b.batch_no = d.batch_no order by u.ord;
        end $$;

        -- Locks the batch first: of two last sinks at once, one must see the other.
        create function penstock.delivered(p_batch bigint, p_sink text, p_token bigint)
        returns boolean language plpgsql as $$
        begin
          perform from penstock.batches where batch_no = p_batch for update;
          update penstock.deliveries
            set delivered_at = coalesce(delivered_at, clock_timestamp()), lease_until = null
            where batch_no = p_batch and sink = p_sink and token = p_token;
          if not found then return false; end if;
          update penstock.batches set done_at = clock_timestamp()
            where batch_no = p_batch and done_at is null and not exists (
              select from penstock.deliveries where batch_no = p_batch and delivered_at is null);
          return true;
        end $$;
        """
}

extension LedgerSchema {
    /// States: p(ending) g (sealed) r(unning), and those of outcomes.
    static let snapshots: PostgresScript = """
        create function penstock.snapshots(p_stage smallint, p_keys uuid[])
        returns table(
          key uuid, state "char", accepted_at timestamptz, deadline timestamptz, case_no bigint,
          batch_no bigint, outcome_id uuid, reason text, report bytea, data_as_of timestamptz,
          written_at timestamptz, parameters bytea)
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
              o.data_as_of, o.written_at, case when o.case_no is not null then c.parameters end
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
        """

    /// A claim can be told how many batches may be under living leases. Where that keeps a worker
    /// from one, it queues: whoever asked first gets the next, and whoever has not asked for some
    /// seconds has given up its turn. Processes of an earlier version claim without a limit.
    static let turns: PostgresScript = """
        create table penstock.claim_turns(
          stage smallint, worker text, asked_at timestamptz not null, seen_at timestamptz not null,
          primary key(stage, worker));
        drop function penstock.claim(smallint, text, interval);
        create function penstock.claim(
          p_stage smallint, p_worker text, p_lease interval, p_most int default null)
        returns table(
          batch_no bigint, token bigint, attempts int, closed_by text, sealed_at timestamptz,
          case_no bigint, key uuid, deadline timestamptz, parameters bytea, accepted_at timestamptz)
        language plpgsql set enable_seqscan = off set jit = off as $$
        #variable_conflict use_column
        declare b penstock.batches; v_now timestamptz; v_free bigint; v_before bigint;
        begin
          if p_most is not null then
            if not exists (
              select from penstock.batches
              where stage = p_stage and committed_at is null
                and (lease_until is null or lease_until < clock_timestamp())
                and (not_before is null or not_before <= clock_timestamp()))
            then return; end if;
            -- What follows sees what those before have claimed.
            perform pg_advisory_xact_lock(1346720766, p_stage);
            v_now := clock_timestamp();
            select p_most - count(*) into v_free from penstock.batches
              where stage = p_stage and committed_at is null and lease_until >= v_now;
            select count(*) into v_before from penstock.claim_turns o
              where o.stage = p_stage and o.worker <> p_worker
                and o.seen_at > v_now - interval '5 seconds'
                and o.asked_at < coalesce(
                  (select m.asked_at from penstock.claim_turns m
                   where m.stage = p_stage and m.worker = p_worker
                     and m.seen_at > v_now - interval '5 seconds'), v_now);
            if v_before >= v_free then
              insert into penstock.claim_turns as m values (p_stage, p_worker, v_now, v_now)
                on conflict (stage, worker) do update set seen_at = v_now, asked_at =
                  case when m.seen_at > v_now - interval '5 seconds' then m.asked_at else v_now end;
              return;
            end if;
            delete from penstock.claim_turns where stage = p_stage
              and (worker = p_worker or seen_at < v_now - interval '1 minute');
          end if;
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
        """
}
