internal import Postgres

extension LedgerSchema {
    /// `cases` and `outcomes` are only inserted into (and purged). A row of `pending` is deleted
    /// when its case is sealed. `batches` and `deliveries` carry leases and fencing tokens; no
    /// row is updated per case.
    ///
    /// What keeps looking cheap while somebody holds an old snapshot, which keeps dead entries in
    /// the index of `pending`: sealing starts at `floor`, and acceptors never insert below
    /// `clamp`. An acceptor holds a shared advisory lock on the gate's number while it obeys that
    /// gate's clamp, so that a sealer knows when nobody obeys an older one, and may raise the
    /// floor.
    static let tables: PostgresScript = """
        create table penstock.stages(
          stage smallint generated always as identity primary key,
          pipeline text not null, name text not null,
          rule text not null, revision bigint not null,
          last_fired timestamptz, flush_requested timestamptz,
          fired_no bigint not null default 0,  -- the last number given out when the rule last fired
          draining text, drain_through bigint,  -- the reason, and the last case that belongs to it
          gate int not null default 1,
          clamp timestamptz not null default '-infinity',
          floor timestamptz not null default '-infinity', floor_no bigint not null default 0,
          gate_no bigint not null default 0,
          sealed_due timestamptz not null default '-infinity', since_gate int not null default 0,
          purged_cases bigint not null default 0, purged_seconds float8 not null default 0,
          unique(pipeline, name)) with (fillfactor = 10);

        create table penstock.positions(
          stage smallint, source text, part int, next_offset bigint not null,
          primary key(stage, source, part)) with (fillfactor = 10);

        create sequence penstock.case_numbers;  -- never cached: the floor relies on its order
        create table penstock.cases(
          case_no bigint primary key default nextval('penstock.case_numbers'),
          accepted_at timestamptz not null, deadline timestamptz not null,
          key uuid not null, digest uuid not null, stage smallint not null,
          attempt smallint not null default 1, parameters bytea not null,
          unique(key, stage, attempt));

        create table penstock.pending(
          case_no bigint not null, accepted_at timestamptz not null,
          due timestamptz not null,  -- the deadline, or the clamp when that is later
          deadline timestamptz not null, stage smallint not null,
          primary key(stage, due, deadline, case_no), unique(stage, case_no))
          with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

        create table penstock.batches(
          batch_no bigint generated always as identity primary key, stage smallint not null,
          cases bigint[] not null,  -- earliest deadline first
          closed_by text not null, revision bigint not null,
          sealed_at timestamptz not null, due timestamptz, split_from bigint,
          token bigint not null default 0, lease_until timestamptz, not_before timestamptz,
          worker text, attempts int not null default 0, last_error text,
          committed_at timestamptz, done_at timestamptz,
          seconds float8, rows_read bigint);
        create index batches_open on penstock.batches(stage, batch_no) where committed_at is null;
        create index batches_leased on penstock.batches(stage, lease_until)
          where committed_at is null and lease_until is not null;
        create index batches_done on penstock.batches(stage, done_at) where done_at is not null;

        create table penstock.outcomes(
          case_no bigint primary key, batch_no bigint not null, written_at timestamptz not null,
          data_as_of timestamptz, outcome_id uuid not null,
          state "char" not null,  -- s(ucceeded) f(ailed) c(ancelled) e(xpired)
          reason text, report bytea);

        create table penstock.deliveries(
          batch_no bigint, sink text, stage smallint not null,
          token bigint not null default 0, lease_until timestamptz, not_before timestamptz,
          worker text, attempts int not null default 0, delivered_at timestamptz,
          primary key(batch_no, sink));
        create index deliveries_due on penstock.deliveries(stage, sink, batch_no)
          where delivered_at is null;
        """

    static let registration: PostgresScript = """
        create function penstock.register(
          p_pipeline text, p_name text, p_rule text, p_revision bigint,
          out stage smallint, out revision bigint, out is_conflict boolean)
        language plpgsql as $$
        declare r penstock.stages;
        begin
          -- Looks before it inserts: an identity value is spent on every attempt.
          perform from penstock.stages s where s.pipeline = p_pipeline and s.name = p_name;
          if not found then
            insert into penstock.stages(pipeline, name, rule, revision)
              values (p_pipeline, p_name, p_rule, coalesce(p_revision, 1)) on conflict do nothing;
          end if;
          select * into r from penstock.stages s
            where s.pipeline = p_pipeline and s.name = p_name for update;
          stage := r.stage;
          revision := coalesce(p_revision, r.revision + (r.rule <> p_rule)::int);
          is_conflict := r.revision = revision and r.rule <> p_rule;
          if r.revision < revision then
            update penstock.stages s set rule = p_rule, revision = register.revision
              where s.stage = r.stage;
          end if;
        end $$;

        create function penstock.positions(
          p_stage smallint, p_source text, p_parts int[], p_initial bigint[])
        returns table(part int, next_offset bigint) language plpgsql as $$
        #variable_conflict use_column
        begin
          insert into penstock.positions(stage, source, part, next_offset)
            select p_stage, p_source, x.part, x.first
            from unnest(p_parts, p_initial) x(part, first) order by x.part on conflict do nothing;
          return query select p.part, p.next_offset from penstock.positions p
            where p.stage = p_stage and p.source = p_source and p.part = any(p_parts);
        end $$;
        """
}

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
