internal import Postgres

extension LedgerSchema {
    /// What sinks and dead-letter topics refuse for good.
    ///
    /// A batch with parked outcomes has no `done_at`, so that a purge does not find it. A delivery
    /// that has been made once (`only_parked`) is made again for those that are due and no others.
    static let refusals: PostgresScript = """
        create table penstock.parked(
          batch_no bigint, sink text, case_no bigint, stage smallint not null,
          code text not null, reason text not null, attempts int not null default 1,
          parked_at timestamptz not null, is_due boolean not null default false,
          primary key(batch_no, sink, case_no));
        create index parked_of_stage on penstock.parked(stage, sink, parked_at);
        alter table penstock.deliveries add only_parked boolean not null default false;

        create table penstock.dead_letters(
          letter_no bigint generated always as identity primary key,
          pipeline text not null, stage text not null, code text not null, reason text not null,
          attempts int not null, kept_at timestamptz not null default clock_timestamp(),
          refusal text not null,  -- why it is here and not in its topic
          resource text not null, source text not null, part int not null,
          record_no bigint not null, recorded_at timestamptz not null,
          key bytea, payload bytea, header_names text[] not null, header_values bytea[] not null);
        create index dead_letters_of_pipeline on penstock.dead_letters(pipeline, letter_no);

        create function penstock.finish_batch(p_batch bigint) returns void language sql as $$
          update penstock.batches set done_at = clock_timestamp()
            where batch_no = p_batch and done_at is null and not exists (
              select from penstock.deliveries where batch_no = p_batch and delivered_at is null)
              and not exists (select from penstock.parked where batch_no = p_batch);
        $$;

        drop function penstock.claim_delivery(smallint, text, text, interval);
        create function penstock.claim_delivery(
          p_stage smallint, p_sink text, p_worker text, p_lease interval)
        returns table(
          batch_no bigint, token bigint, attempts int, outcome_id uuid, case_no bigint, key uuid,
          state "char", reason text, report bytea, data_as_of timestamptz, written_at timestamptz,
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
            select d.batch_no, d.token, d.attempts, o.outcome_id, c.case_no, c.key, o.state,
              o.reason, o.report, o.data_as_of, o.written_at, c.deadline, c.parameters, c.attempt
            from penstock.batches b
            cross join lateral unnest(b.cases) with ordinality u(no, ord)
            cross join lateral (select * from penstock.cases c where c.case_no = u.no limit 1) c
            cross join lateral (select * from penstock.outcomes o where o.case_no = u.no limit 1) o
            where b.batch_no = d.batch_no and (not d.only_parked or exists (
              select from penstock.parked k where k.batch_no = d.batch_no and k.sink = d.sink
                and k.case_no = u.no and k.is_due))
            order by u.ord;
        end $$;

        -- Locks the batch first: of two last sinks at once, one must see the other. What is said a
        -- second time, after a lost answer, changes nothing.
        create function penstock.delivered(
          p_batch bigint, p_sink text, p_token bigint,
          p_cases bigint[], p_codes text[], p_reasons text[])
        returns boolean language plpgsql as $$
        declare d penstock.deliveries;
        begin
          perform from penstock.batches where batch_no = p_batch for update;
          select * into d from penstock.deliveries
            where batch_no = p_batch and sink = p_sink and token = p_token for update;
          if not found then return false; end if;
          if d.delivered_at is not null then return true; end if;
          insert into penstock.parked as k(
              batch_no, sink, case_no, stage, code, reason, parked_at)
            select p_batch, p_sink, x.no, d.stage, x.code, x.reason, clock_timestamp()
            from unnest(p_cases, p_codes, p_reasons) x(no, code, reason)
            on conflict (batch_no, sink, case_no) do update set code = excluded.code,
              reason = excluded.reason, attempts = k.attempts + 1, is_due = false;
          delete from penstock.parked where batch_no = p_batch and sink = p_sink and is_due;
          update penstock.deliveries
            set delivered_at = clock_timestamp(), lease_until = null, only_parked = true
            where batch_no = p_batch and sink = p_sink;
          perform penstock.finish_batch(p_batch);
          return true;
        end $$;

        -- As a program that parks nothing calls it.
        create or replace function penstock.delivered(p_batch bigint, p_sink text, p_token bigint)
        returns boolean language sql as $$
          select penstock.delivered(p_batch, p_sink, p_token, '{}', '{}', '{}');
        $$;

        -- The parked outcomes that are meant; null leaves out a condition.
        create function penstock.parked_of(
          p_stage smallint, p_sink text, p_code text, p_keys uuid[], p_limit bigint)
        returns table(
          batch_no bigint, sink text, case_no bigint, key uuid, outcome_id uuid, code text,
          reason text, attempts int, parked_at timestamptz, is_due boolean)
        language sql stable as $$
          select k.batch_no, k.sink, k.case_no, c.key, o.outcome_id, k.code, k.reason, k.attempts,
            k.parked_at, k.is_due
          from penstock.parked k
          join penstock.cases c on c.case_no = k.case_no
          join penstock.outcomes o on o.case_no = k.case_no
          where k.stage = p_stage and (p_sink is null or k.sink = p_sink)
            and (p_code is null or k.code = p_code) and (p_keys is null or c.key = any(p_keys))
          order by k.parked_at, k.batch_no, k.case_no limit p_limit;
        $$;

        -- A delivery that is being made meanwhile loses its lease: it does not know of these. What
        -- waits for its next try is tried at once.
        create function penstock.replay_parked(
          p_stage smallint, p_sink text, p_code text, p_keys uuid[])
        returns bigint language plpgsql as $$
        declare v_count bigint; v_batches bigint[];
        begin
          select array_agg(distinct batch_no) into v_batches
            from penstock.parked_of(p_stage, p_sink, p_code, p_keys, null) where not is_due;
          perform from penstock.batches where batch_no = any(v_batches) order by batch_no for update;
          with chosen as (
              select batch_no, sink, case_no
              from penstock.parked_of(p_stage, p_sink, p_code, p_keys, null)
              where not is_due and batch_no = any(v_batches)),
            due as (
              update penstock.parked k set is_due = true from chosen x
              where k.batch_no = x.batch_no and k.sink = x.sink and k.case_no = x.case_no
              returning k.batch_no, k.sink),
            open as (
              update penstock.deliveries d set delivered_at = null, token = d.token + 1,
                attempts = 0, lease_until = null, not_before = null
              from (select distinct batch_no, sink from due) x
              where d.batch_no = x.batch_no and d.sink = x.sink)
          select count(*) into v_count from due;
          update penstock.deliveries set not_before = null
            where stage = p_stage and (p_sink is null or sink = p_sink) and delivered_at is null
              and not_before > clock_timestamp();
          return v_count;
        end $$;

        create function penstock.drop_parked(
          p_stage smallint, p_sink text, p_code text, p_keys uuid[])
        returns bigint language plpgsql as $$
        declare v_count bigint; v_batches bigint[];
        begin
          select array_agg(distinct batch_no) into v_batches
            from penstock.parked_of(p_stage, p_sink, p_code, p_keys, null);
          perform from penstock.batches where batch_no = any(v_batches) order by batch_no for update;
          delete from penstock.parked k
            using penstock.parked_of(p_stage, p_sink, p_code, p_keys, null) x
            where k.batch_no = x.batch_no and k.sink = x.sink and k.case_no = x.case_no
              and k.batch_no = any(v_batches);
          get diagnostics v_count = row_count;
          -- Nothing of these is to be delivered again.
          update penstock.deliveries d
            set delivered_at = clock_timestamp(), token = d.token + 1, lease_until = null
            where d.batch_no = any(v_batches) and d.only_parked and d.delivered_at is null
              and not exists (select from penstock.parked k
                where k.batch_no = d.batch_no and k.sink = d.sink and k.is_due);
          perform penstock.finish_batch(no) from unnest(v_batches) no;
          return v_count;
        end $$;
        """
}

extension LedgerSchema {
    /// A repeat may be dropped only if its case is there: one that was deleted, or never was, is
    /// taken in.
    static let repeats: PostgresScript = """
        -- Those of the cases that a repeat of their request opens: their last attempt has failed, was
        -- cancelled or has expired, or they are unknown.
        create or replace function penstock.reopenable(p_stage smallint, p_keys uuid[])
        returns setof uuid language plpgsql set enable_seqscan = off set jit = off as $$
        begin
          return query
            select k.key from unnest(p_keys) k(key)
            left join lateral (
              select c.case_no from penstock.cases c where c.key = k.key and c.stage = p_stage
              order by c.attempt desc limit 1) c on true
            left join lateral (
              select o.state from penstock.outcomes o where o.case_no = c.case_no limit 1) o on true
            where c.case_no is null or o.state in ('f', 'c', 'e');
        end $$;
        """
}
