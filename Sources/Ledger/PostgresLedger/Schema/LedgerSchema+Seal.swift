internal import Postgres

extension LedgerSchema {
    /// What waits. `look` locks the stage's row first and then reads in a statement of its own,
    /// so that it sees what the previous holder of the lock did.
    static let openBatch: PostgresScript = """
        create function penstock.open_batch(
          p_stage smallint, p_limit int, p_newest boolean,
          out waiting int, out earliest timestamptz, out oldest timestamptz, out newest timestamptz,
          out clock timestamptz, out fired timestamptz, out flush timestamptz, out draining text,
          out revision bigint)
        language plpgsql set enable_seqscan = off set jit = off as $$
        declare r penstock.stages;
        begin
          select * into r from penstock.stages s where s.stage = p_stage;
          select count(*), min(h.deadline) into waiting, earliest from (
            select p.deadline from penstock.pending p where p.stage = p_stage and p.due >= r.floor
            order by p.due, p.deadline, p.case_no limit p_limit) h;
          select p.accepted_at into oldest from penstock.pending p
            where p.stage = p_stage and p.case_no >= r.floor_no order by p.case_no limit 1;
          if p_newest then
            -- None of these has been sealed since: there are no dead entries to pass.
            select p.accepted_at into newest from penstock.pending p
              where p.stage = p_stage and p.case_no > r.fired_no order by p.case_no desc limit 1;
          end if;
          clock := clock_timestamp();
          fired := r.last_fired; draining := r.draining; revision := r.revision;
          -- A flush is for what had been accepted when it was asked for.
          if r.flush_requested >= oldest then flush := r.flush_requested; end if;
        end $$;

        create function penstock.look(
          p_stage smallint, p_limit int, p_newest boolean,
          out is_busy boolean,
          out waiting int, out earliest timestamptz, out oldest timestamptz, out newest timestamptz,
          out clock timestamptz, out fired timestamptz, out flush timestamptz, out draining text,
          out revision bigint)
        language plpgsql as $$
        begin
          perform from penstock.stages s where s.stage = p_stage for update skip locked;
          is_busy := not found;
          select * into waiting, earliest, oldest, newest, clock, fired, flush, draining, revision
            from penstock.open_batch(p_stage, p_limit, p_newest);
        end $$;
        """

    /// Seals up to `p_batches` batches of `p_size` cases. `p_exact`: each must be full, the
    /// remainder waits on; else it is a drain: the last takes the remainder, and while there is
    /// more `draining` remembers the reason. A drain is for what had been accepted when the rule
    /// fired.
    static let seal: PostgresScript = """
        create function penstock.seal(
          p_stage smallint, p_revision bigint, p_closed_by text, p_batches int, p_size int,
          p_exact boolean)
        returns table(batch_no bigint, size int)
        language plpgsql set enable_seqscan = off set jit = off as $$
        #variable_conflict use_column
        declare
          r penstock.stages; v_cases bigint[]; v_last timestamptz; v_earliest timestamptz;
          v_low timestamptz; v_low_no bigint; v_through bigint;
        begin
          select * into r from penstock.stages where stage = p_stage for update;
          if r.revision > p_revision then
            raise exception 'a newer rule is in force' using errcode = 'PS002';
          end if;
          if r.draining is null then
            r.last_fired := clock_timestamp();
            select last_value into r.fired_no from penstock.case_numbers;
            r.drain_through := r.fired_no;
            -- A full batch leaves something: whoever asked for a flush meant that as well.
            if not p_exact then r.flush_requested := null; end if;
          end if;
          v_through := case when p_exact then 9223372036854775807 else r.drain_through end;
          for i in 1..p_batches loop
            with head as (
                select ctid from penstock.pending
                where stage = p_stage and due >= r.floor and case_no <= v_through
                order by due, deadline, case_no limit p_size),
              gone as (
                delete from penstock.pending p where ctid = any(array(select ctid from head))
                returning case_no, due, deadline)
            select count(*), array_agg(case_no order by due, deadline, case_no), max(due),
                min(deadline)
              into size, v_cases, v_last, v_earliest from gone;
            exit when size = 0;
            if p_exact and size <> p_size then
              raise exception 'not a full batch: %', size using errcode = 'PS003';
            end if;
            insert into penstock.batches(stage, cases, closed_by, revision, sealed_at, due)
              values (p_stage, v_cases, p_closed_by, p_revision, clock_timestamp(), v_earliest)
              returning batches.batch_no into batch_no;
            r.sealed_due := greatest(r.sealed_due, v_last); r.since_gate := r.since_gate + 1;
            return next;
            exit when size < p_size;
          end loop;
          if r.since_gate >= 8 and pg_try_advisory_xact_lock(1346720768 + p_stage, r.gate - 1) then
            -- Nobody who obeys an older clamp is in flight: what they inserted is visible below.
            select due into v_low from penstock.pending
              where stage = p_stage and due >= r.floor order by due limit 1;
            select case_no into v_low_no from penstock.pending
              where stage = p_stage and case_no >= r.floor_no order by case_no limit 1;
            r.floor := least(coalesce(v_low, r.clamp), r.clamp);
            r.floor_no := least(coalesce(v_low_no, r.gate_no), r.gate_no);
            r.gate := r.gate + 1; r.since_gate := 0;
            -- Never above a living row: a later, more urgent case would queue behind it.
            r.clamp := greatest(r.clamp, least(r.sealed_due, v_low));
            select last_value into r.gate_no from penstock.case_numbers;
          end if;
          update penstock.stages set
            last_fired = r.last_fired, fired_no = r.fired_no, flush_requested = r.flush_requested,
            gate = r.gate, clamp = r.clamp, floor = r.floor,
            floor_no = r.floor_no, gate_no = r.gate_no, sealed_due = r.sealed_due,
            since_gate = r.since_gate,
            draining = case when p_exact or size < p_size then null else p_closed_by end,
            drain_through = r.drain_through
            where stage = p_stage;
        end $$;
        """
}
