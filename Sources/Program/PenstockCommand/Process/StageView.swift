internal import Calendar
internal import DryRunReport
internal import LocatedJSON
internal import PipelineConfiguration
internal import PipelineCore

/// What an operator is shown of an accumulate stage: its open batch, and the batches that it has
/// sealed.
struct StageView: Sendable {
    let pipeline: String
    let stage: String
    let overview: LedgerOverview
    /// When the rule fires and why, if nothing more arrives.
    let next: (at: Timestamp, closedBy: String)?
    let fullBatch: Int?
    let isManual: Bool
    /// Newest first.
    let batches: [BatchRecord]
    /// Outcomes that a sink has refused, by the sink's id; only sinks that have some.
    let parked: [String: Int]
    /// What an operator holds up.
    let pauses: [LedgerPart: LedgerPause]

    init(
        pipeline: String, stage: String, overview: LedgerOverview,
        next: (at: Timestamp, closedBy: String)?, fullBatch: Int?, isManual: Bool,
        batches: [BatchRecord], parked: [String: Int], pauses: [LedgerPart: LedgerPause]
    ) {
        self.pipeline = pipeline
        self.stage = stage
        self.overview = overview
        self.next = next
        self.fullBatch = fullBatch
        self.isManual = isManual
        self.batches = batches
        self.parked = parked
        self.pauses = pauses
    }

    /// - Throws: ``PipelineError`` when the store can't be read.
    init(
        _ access: BarrierAccess, of pipeline: String, stage: String, _ selection: BatchSelection,
        limit: Int
    ) async throws {
        let barrier = access.barrier
        self.pipeline = pipeline
        self.stage = stage
        overview = try await barrier.ledger.overview()
        next = overview.nextFiring(barrier.decide)
        fullBatch = barrier.fullBatch
        isManual = barrier.isManual
        batches = try await barrier.ledger.batches(selection, limit: limit)
        parked = try await barrier.ledger.parkedCounts().filter { $0.value > 0 }
        pauses = try await barrier.ledger.pauses()
    }

    /// When and why the open batch is sealed: `sealed at 512 cases, or at 14:05:00Z by max_age`.
    var sealing: String {
        var ways: [String] = []
        if let fullBatch { ways.append("at \(fullBatch.grouped) cases") }
        if let next {
            ways.append(
                next.at <= overview.clock
                    ? "now by \(next.closedBy)"
                    : "in \(overview.clock.duration(to: next.at).spoken) (\(next.at.toSeconds)) by \(next.closedBy)"
            )
        }
        if isManual { ways.append("by `penstock flush`") }
        return ways.isEmpty
            ? "sealed when the rule fires" : "sealed " + ways.joined(separator: ", or ")
    }

    // MARK: For people

    /// The head of a report: what waits, by whom it is waited for.
    var summary: [String] {
        let open = overview.open
        var lines = [
            "\(pipeline), stage \(stage), rule revision \(overview.revision), at \(overview.clock.toSeconds)"
        ]
        for (part, pause) in pauses.sorted(by: { $0.key.text < $1.key.text }) {
            lines.append(
                "  paused      \(part.spoken) since \(pause.since.toSeconds): \(pause.reason)")
        }
        let age = open.oldest.map {
            ", the oldest for \($0.duration(to: overview.clock).spoken)"
        }
        lines.append(
            "  open        \(count(open.count)) \(open.count == 1 ? "waits" : "wait")\(age ?? "")")
        if open.count > 0 {
            lines.append("              \(sealing)")
            if let deadline = open.earliestDeadline {
                let left = overview.clock.duration(to: deadline)
                lines.append(
                    "              the earliest deadline "
                        + (left < .zero
                            ? "was \((.zero - left).spoken) ago" : "is in \(left.spoken)"))
            }
        }
        let sealed = overview.oldestSealed.map {
            ", the oldest for \($0.duration(to: overview.clock).spoken)"
        }
        lines.append("  sealed      \(overview.sealed.counting("batch", "batches"))\(sealed ?? "")")
        lines.append("  running     \(overview.running.counting("batch", "batches"))")
        for (sink, waiting) in overview.undelivered.sorted(by: { $0.key < $1.key }) {
            let since = waiting.oldest.duration(to: overview.clock).spoken
            lines.append(
                "  \("to \(sink)".padded(to: 11)) \(waiting.count.counting("batch", "batches")), the oldest for \(since)"
            )
        }
        for (sink, outcomes) in parked.sorted(by: { $0.key < $1.key }) {
            lines.append(
                "  parked      \(outcomes.counting("outcome", "outcomes")) that \(sink) refuses: penstock dead-letters list"
            )
        }
        return lines
    }

    /// A bar that fills as the open batch does, for a terminal; empty where no number seals.
    func gauge(width: Int) -> [String] {
        guard let fullBatch, fullBatch > 0 else { return [] }
        let length = max(10, min(60, width - 16))
        let filled = min(length, overview.open.count * length / fullBatch)
        let rest = String(repeating: "░", count: length - filled)
        return ["              " + String(repeating: "█", count: filled) + rest]
    }

    private func count(_ cases: Int) -> String {
        let isBound = cases >= LedgerOverview.countBound
        let limit = fullBatch.map { " of \($0.grouped)" } ?? ""
        return "\(cases.grouped)\(isBound ? " or more" : limit)"
    }

    /// The table of batches; empty without one.
    var table: [String] {
        if batches.isEmpty { return [] }
        var rows = [["batch", "state", "cases", "closed by", "sealed", "waited", "took", "worker"]]
        rows += batches.map { batch in
            [
                "\(batch.number)", batch.state.rawValue, batch.cases.grouped, batch.closedBy,
                batch.sealedAt.toSeconds, batch.wait?.spoken ?? "", batch.took?.spoken ?? "",
                batch.worker ?? "",
            ]
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        var lines: [String] = []
        for (index, row) in rows.enumerated() {
            let cells = zip(row, widths).map { $0.padded(to: $1) }.joined(separator: "  ")
            lines.append("  " + cells.trimmedAtEnd)
            if index > 0 { lines += notes(of: batches[index - 1]).map { "      " + $0 } }
        }
        return lines
    }

    private func notes(of batch: BatchRecord) -> [String] {
        var notes: [String] = []
        if batch.revision != overview.revision {
            notes.append("sealed under rule revision \(batch.revision)")
        }
        if let lease = batch.leaseUntil {
            notes.append("attempt \(batch.attempts), under a lease until \(lease.toSeconds)")
        }
        if let error = batch.lastError, batch.committedAt == nil {
            let again = batch.notBefore.map { ", tried again at \($0.toSeconds)" } ?? ""
            notes.append("attempt \(batch.attempts) failed\(again): \(error)")
        }
        for delivery in batch.deliveries {
            if delivery.deliveredAt == nil {
                notes.append(
                    "not delivered to \(delivery.sink) yet"
                        + (delivery.attempts > 0 ? ", tried \(delivery.attempts) ×" : "")
                        + (delivery.worker.map { ", last by \($0)" } ?? ""))
            }
            if delivery.parked > 0 {
                notes.append(
                    "\(delivery.sink) refuses \(delivery.parked.counting("outcome", "outcomes"))")
            }
        }
        return notes
    }

    // MARK: For machines

    var json: JSON {
        .object([
            ("pipeline", .string(pipeline)), ("stage", .string(stage)),
            ("clock", overview.clock.json), ("rule_revision", .number(Int(overview.revision))),
            (
                "open",
                .object([
                    ("cases", .number(overview.open.count)),
                    ("full_at", fullBatch.map { .number($0) } ?? .null),
                    ("oldest_accepted_at", overview.open.oldest.json),
                    ("earliest_deadline", overview.open.earliestDeadline.json),
                    ("fires_at", (next?.at).json),
                    ("fires_by", next.map { .string($0.closedBy) } ?? .null),
                    ("flush_requested_at", overview.open.flushRequested.json),
                    ("last_fired_at", overview.open.lastFired.json),
                ])
            ),
            (
                "sealed",
                .object([
                    ("batches", .number(overview.sealed)),
                    ("oldest_sealed_at", overview.oldestSealed.json),
                ])
            ),
            ("running", .object([("batches", .number(overview.running))])),
            (
                "undelivered",
                .object(
                    overview.undelivered.sorted { $0.key < $1.key }.map { sink, waiting in
                        (
                            sink,
                            .object([
                                ("batches", .number(waiting.count)),
                                ("oldest_committed_at", waiting.oldest.json),
                            ])
                        )
                    })
            ),
            (
                "parked",
                .object(parked.sorted { $0.key < $1.key }.map { ($0.key, .number($0.value)) })
            ),
            (
                "paused",
                .array(
                    pauses.sorted { $0.key.text < $1.key.text }.map { part, pause in
                        .object([
                            ("part", .string(part.text)), ("since", pause.since.json),
                            ("reason", .string(pause.reason)),
                        ])
                    })
            ),
            ("batches", .array(batches.map(\.json))),
        ])
    }
}

extension BatchRecord {
    var json: JSON {
        .object([
            ("batch", .number(Int(number))), ("state", .string(state.rawValue)),
            ("cases", .number(cases)), ("closed_by", .string(closedBy)),
            ("rule_revision", .number(Int(revision))), ("sealed_at", sealedAt.json),
            ("oldest_accepted_at", oldestAccepted.json),
            ("earliest_deadline", earliestDeadline.json), ("attempts", .number(attempts)),
            ("worker", worker.map { .string($0) } ?? .null), ("lease_until", leaseUntil.json),
            ("not_before", notBefore.json),
            ("last_error", lastError.map { .string($0) } ?? .null),
            ("committed_at", committedAt.json),
            ("wait_seconds", wait.json), ("run_seconds", took.json),
            ("rows_read", rowsRead.map { .number(Int($0)) } ?? .null),
            (
                "deliveries",
                .array(
                    deliveries.map { delivery in
                        .object([
                            ("sink", .string(delivery.sink)),
                            ("delivered_at", delivery.deliveredAt.json),
                            ("attempts", .number(delivery.attempts)),
                            ("worker", delivery.worker.map { .string($0) } ?? .null),
                            ("parked", .number(delivery.parked)),
                        ])
                    })
            ),
        ])
    }
}

extension Timestamp {
    var json: JSON {
        .string(CivilTime(microsecondsSinceEpoch: microseconds).rfc3339(.microsecondsUnlessZero))
    }
}

extension Timestamp? {
    var json: JSON { map(\.json) ?? .null }
}

extension Duration? {
    /// Seconds.
    fileprivate var json: JSON {
        map { JSON(.number("\(($0.inSeconds * 1_000).rounded() / 1_000)")) } ?? .null
    }
}

extension String {
    /// The line in pieces of at most so many characters, between words where there are any; the
    /// second stands under what the first says.
    func wrapped(to width: Int) -> [String] {
        let indent = String(repeating: " ", count: 14)
        var lines: [String] = []
        var rest = self[...]
        while rest.count > width {
            let piece = rest.prefix(width + 1)
            guard let cut = piece.lastIndex(of: " "), piece[..<cut].contains(where: { $0 != " " })
            else { break }
            lines.append(String(rest[..<cut]))
            rest = (indent + rest[rest.index(after: cut)...])[...]
        }
        return lines + [String(rest)]
    }

    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }

    fileprivate var trimmedAtEnd: String {
        String(self[..<(lastIndex { $0 != " " }.map { index(after: $0) } ?? startIndex)])
    }
}
