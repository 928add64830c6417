import PipelineCore
import PipelineSimulation
import SQLite

extension Audit {
    /// New outcomes; one that was there before may not change, and comes with its whole batch.
    func readOutcomes(_ state: inout State, _ connection: SQLiteConnection) throws {
        let count = try connection.first("SELECT count(*) FROM ledger_outcomes") { $0.int(0) } ?? 0
        let committed = try connection.first(
            """
            SELECT coalesce(sum(case_count), 0) FROM ledger_batches WHERE committed_at IS NOT NULL
            """
        ) { $0.int(0) }
        if committed != count {
            state.violations.append(
                "committed batches have \(committed ?? 0) cases, but there are \(count) outcomes")
        }
        if count == state.outcomeCount { return }
        state.outcomeCount = count
        try compareOutcomes(&state, connection)
    }

    func compareOutcomes(_ state: inout State, _ connection: SQLiteConnection) throws {
        try connection.forEach(
            """
            SELECT outcome_id, case_no, batch_no, state, coalesce(reason, CAST(report AS TEXT), '')
            FROM ledger_outcomes ORDER BY case_no
            """
        ) { row in
            guard let id = row.uuid(0) else { return }
            let outcome = StoredOutcome(
                id: id, caseNumber: row.int64(1), batch: row.int64(2), state: row.text(3),
                answer: row.text(4))
            if let known = state.outcomes[outcome.caseNumber], known != outcome {
                state.violations.append("the outcome of case \(outcome.caseNumber) has changed")
            }
            state.outcomes[outcome.caseNumber] = outcome
        }
    }

    /// What has been announced, and which records lie in the dead letters.
    func readBus(_ state: inout State) {
        let ready = bus.messages(in: "ready", from: state.announcedRead)
        for message in ready.joined() {
            let id = message.text("event-id")
            if let known = state.announced.updateValue(message.payload, forKey: id),
                known != message.payload
            {
                state.violations.append("event \(id) was announced with different bytes")
            }
        }
        state.announcedRead.advance(by: ready)
        let refused = bus.messages(in: "requests.dead-letters", from: state.deadLettersRead)
        for message in refused.joined() {
            let place = message.text("penstock-origin-partition")
            state.deadLetters.insert("\(place)@\(message.text("penstock-origin-offset"))")
        }
        state.deadLettersRead.advance(by: refused)
    }

    /// A batch may be marked as delivered only once everything in it has been announced.
    func checkAnnounced(
        _ state: inout State, _ connection: SQLiteConnection, _ batch: Int64
    ) throws {
        try connection.forEach(
            "SELECT outcome_id FROM ledger_outcomes WHERE batch_no = ?1", batch
        ) { row in
            guard let id = row.uuid(0), state.announced[id.description] == nil else { return }
            state.violations.append("batch \(batch) is marked, but \(id) was not announced")
        }
    }

    /// Every record before a stored position is a case, or lies in the dead letters.
    func checkPositions(_ state: inout State, _ connection: SQLiteConnection) throws {
        var positions: [(Int, Int64)] = []
        try connection.forEach(
            "SELECT partition, next_offset FROM ledger_positions WHERE source = 'simulated:bus/requests'"
        ) { positions.append(($0.int(0), $0.int64(1))) }
        if positions.isEmpty { return }
        while state.verified.count < plan.partitions { state.verified.append(0) }
        let messages = bus.messages(in: "requests", from: state.verified.map(Int.init))
        for (partition, next) in positions {
            let verified = state.verified[partition]
            if next < verified {
                state.violations.append("partition \(partition) went back to \(next)")
                continue
            }
            for offset in verified..<next {
                check(messages[partition][Int(offset - verified)], "\(partition)@\(offset)", &state)
            }
            state.verified[partition] = next
        }
    }

    private func check(_ message: OutgoingRecord, _ place: String, _ state: inout State) {
        if state.deadLetters.contains(place) { return }
        guard let request = Request(message.payload) else {
            state.violations.append("\(place) can't be read and is not in the dead letters")
            return
        }
        if state.digests[request.id] != Digest(of: message.payload) {
            state.violations.append("the position has passed \(place), but its case is not there")
        }
    }

    /// - Parameter accepted: the cases that callers were promised an answer for.
    func checkEnd(
        _ state: inout State, _ connection: SQLiteConnection, _ accepted: [UUID]
    ) throws {
        for id in accepted where state.digests[id] == nil {
            state.violations.append("case \(id) was accepted from a caller, and is not there")
        }
        let unanswered = try connection.first(
            """
            SELECT count(*) FROM ledger_cases
            WHERE case_no NOT IN (SELECT case_no FROM ledger_outcomes)
            """
        ) { $0.int(0) }
        if unanswered != 0 {
            state.violations.append("\(unanswered ?? 0) cases have no outcome")
        }
        try compareOutcomes(&state, connection)
        if plan.keepsDeadlines, let margin = plan.deadlineMargin {
            try checkDeadlines(&state, connection, margin)
        }
        try connection.forEach(
            """
            SELECT o.outcome_id, o.state, CAST(c.parameters AS TEXT)
            FROM ledger_outcomes o JOIN ledger_cases c USING(case_no)
            """
        ) { row in
            guard let id = row.uuid(0) else { return }
            if state.announced[id.description] == nil {
                state.violations.append("outcome \(id) was never announced")
            }
            let fails = row.text(2).contains("poison") || row.text(2).contains("refused")
            if row.text(1) != (fails ? "failed" : "succeeded") {
                state.violations.append("\(row.text(2)) is \(row.text(1))")
            }
        }
        if state.announced.count != state.outcomes.count {
            state.violations.append(
                "\(state.announced.count) events were announced for \(state.outcomes.count) outcomes"
            )
        }
    }

    /// A case that is accepted in time for the rule is answered by its deadline.
    private func checkDeadlines(
        _ state: inout State, _ connection: SQLiteConnection, _ margin: Duration
    ) throws {
        try connection.forEach(
            """
            SELECT c.case_no, o.written_at - c.deadline
            FROM ledger_cases c JOIN ledger_outcomes o USING(case_no)
            WHERE o.written_at > c.deadline AND c.accepted_at + ?1 <= c.deadline
            """, margin.components.seconds * 1_000_000
        ) { row in
            state.violations.append(
                "case \(row.int64(0)) was answered \(row.int64(1)) µs after its deadline")
        }
    }
}

extension [Int] {
    /// Offsets behind the messages that were read.
    fileprivate mutating func advance(by read: [[OutgoingRecord]]) {
        for (partition, messages) in read.enumerated() {
            if count <= partition { append(0) }
            self[partition] += messages.count
        }
    }
}

extension OutgoingRecord {
    fileprivate func text(_ header: String) -> String {
        let value = headers.first { $0.name == header }?.value ?? []
        return String(decoding: value, as: UTF8.self)
    }
}
