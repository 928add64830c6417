internal import Postgres

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
