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
