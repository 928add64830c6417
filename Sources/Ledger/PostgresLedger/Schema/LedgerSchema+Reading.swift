internal import Postgres

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
}
