internal import Postgres

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
