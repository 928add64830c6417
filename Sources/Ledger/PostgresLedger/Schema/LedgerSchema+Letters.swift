internal import Postgres

extension LedgerSchema {
    /// What operators have settled in dead-letter topics, and parked outcomes by their revision and
    /// their age.
    static let letters: PostgresScript = """
        -- A row for each log and partition: `bounds` are the beginnings and the ends of ranges of
        -- offsets. The witness is the last settled record, which tells the log from another one.
        create table penstock.settled_letters(
          log text, part int, bounds bigint[] not null, witness_offset bigint not null,
          witness_digest bigint not null, primary key(log, part));

        -- The parked outcomes that are meant; null leaves out a condition.
        create function penstock.parked_of(
          p_stage smallint, p_sink text, p_code text, p_keys uuid[], p_attempt smallint,
          p_from timestamptz, p_before timestamptz)
        returns table(
          batch_no bigint, sink text, case_no bigint, key uuid, outcome_id uuid, attempt smallint,
          code text, reason text, attempts int, parked_at timestamptz, is_due boolean)
        language sql stable as $$
          select k.batch_no, k.sink, k.case_no, c.key, o.outcome_id, c.attempt, k.code, k.reason,
            k.attempts, k.parked_at, k.is_due
          from penstock.parked k
          join penstock.cases c on c.case_no = k.case_no
          join penstock.outcomes o on o.case_no = k.case_no
          where k.stage = p_stage and (p_sink is null or k.sink = p_sink)
            and (p_code is null or k.code = p_code) and (p_keys is null or c.key = any(p_keys))
            and (p_attempt is null or c.attempt = p_attempt)
            and (p_from is null or k.parked_at >= p_from)
            and (p_before is null or k.parked_at < p_before);
        $$;

        -- A delivery that is being made meanwhile loses its lease: it does not know of these. What
        -- waits for its next try is tried at once.
        create function penstock.replay_parked(
          p_stage smallint, p_sink text, p_code text, p_keys uuid[], p_attempt smallint,
          p_from timestamptz, p_before timestamptz)
        returns bigint language plpgsql as $$
        declare v_count bigint; v_batches bigint[];
        begin
          select array_agg(distinct batch_no) into v_batches
            from penstock.parked_of(
              p_stage, p_sink, p_code, p_keys, p_attempt, p_from, p_before) where not is_due;
          perform from penstock.batches where batch_no = any(v_batches) order by batch_no for update;
          with chosen as (
              select batch_no, sink, case_no
              from penstock.parked_of(
                p_stage, p_sink, p_code, p_keys, p_attempt, p_from, p_before)
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
          p_stage smallint, p_sink text, p_code text, p_keys uuid[], p_attempt smallint,
          p_from timestamptz, p_before timestamptz)
        returns bigint language plpgsql as $$
        declare v_count bigint; v_batches bigint[];
        begin
          select array_agg(distinct batch_no) into v_batches
            from penstock.parked_of(p_stage, p_sink, p_code, p_keys, p_attempt, p_from, p_before);
          perform from penstock.batches where batch_no = any(v_batches) order by batch_no for update;
          delete from penstock.parked k
            using penstock.parked_of(
              p_stage, p_sink, p_code, p_keys, p_attempt, p_from, p_before) x
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

        -- As programs call them that know no revisions.
        create or replace function penstock.parked_of(
          p_stage smallint, p_sink text, p_code text, p_keys uuid[], p_limit bigint)
        returns table(
          batch_no bigint, sink text, case_no bigint, key uuid, outcome_id uuid, code text,
          reason text, attempts int, parked_at timestamptz, is_due boolean)
        language sql stable as $$
          select k.batch_no, k.sink, k.case_no, k.key, k.outcome_id, k.code, k.reason, k.attempts,
            k.parked_at, k.is_due
          from penstock.parked_of(p_stage, p_sink, p_code, p_keys, null, null, null) k
          order by k.parked_at, k.batch_no, k.case_no limit p_limit;
        $$;
        create or replace function penstock.replay_parked(
          p_stage smallint, p_sink text, p_code text, p_keys uuid[])
        returns bigint language sql as $$
          select penstock.replay_parked(p_stage, p_sink, p_code, p_keys, null, null, null);
        $$;
        create or replace function penstock.drop_parked(
          p_stage smallint, p_sink text, p_code text, p_keys uuid[])
        returns bigint language sql as $$
          select penstock.drop_parked(p_stage, p_sink, p_code, p_keys, null, null, null);
        $$;
        """
}
