internal import DryRunReport
internal import PipelineCore

extension Comparison {
    /// One figure of both.
    struct Row: Sendable, Equatable {
        var name: String
        var base: String
        var other: String
        /// How the other differs; empty if it does not.
        var difference: String
        /// Whether the other is better, where that can be said.
        var isBetter: Bool?
    }

    var rows: [Row] { rows(triggers: triggers) }

    /// - Parameter triggers: those that have a row, whether they have sealed anything or not.
    fileprivate func rows(triggers: [String]) -> [Row] {
        var rows = [
            counts("cases answered", \.waits.count, moreIsBetter: true),
            counts("after their deadline", \.late, moreIsBetter: false),
            counts("after the SLA", \.afterSLA, moreIsBetter: false),
            counts("not answered", \.unanswered, moreIsBetter: false),
        ]
        for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1)] {
            rows.append(waits("wait \(name)", share))
        }
        rows.append(counts("batches", \.batches.count))
        for trigger in triggers {
            rows.append(
                counts("  by \(trigger)") { report in
                    report.batchesByTrigger.first { $0.trigger == trigger }?.batches ?? 0
                })
        }
        rows += [fill, costs("generation runs"), generation].compactMap(\.self)
        rows += [
            counts("repeats dropped", \.deduplicated),
            counts("dead letters", \.deadLettered, moreIsBetter: false),
        ]
        return rows
    }

    /// In the order of the first, then what only the other has.
    fileprivate var triggers: [String] {
        let first = base.batchesByTrigger.map(\.trigger)
        return first + other.batchesByTrigger.map(\.trigger).filter { !first.contains($0) }
    }

    private func counts(
        _ name: String, moreIsBetter: Bool? = nil, _ figure: (SimulationReport) -> Int
    ) -> Row {
        let (before, after) = (figure(base), figure(other))
        return Row(
            name: name, base: before.grouped, other: after.grouped,
            difference: Self.difference(before, after),
            isBetter: before == after ? nil : moreIsBetter.map { $0 == (after > before) })
    }

    private func counts(
        _ name: String, _ figure: KeyPath<SimulationReport, Int>, moreIsBetter: Bool? = nil
    ) -> Row {
        counts(name, moreIsBetter: moreIsBetter) { $0[keyPath: figure] }
    }

    private func waits(_ name: String, _ share: Double) -> Row {
        let (before, after) = (base.wait(quantile: share), other.wait(quantile: share))
        var row = Row(
            name: name, base: before?.spoken ?? "none", other: after?.spoken ?? "none",
            difference: "")
        guard let before, let after, row.base != row.other else { return row }
        row.isBetter = after < before
        row.difference =
            after < before
            ? "\((before - after).spoken) sooner" : "\((after - before).spoken) later"
        return row
    }

    private var fill: Row? {
        guard base.meanFill != nil || other.meanFill != nil else { return nil }
        return Row(
            name: "average fullness", base: base.meanFill?.percent ?? "none",
            other: other.meanFill?.percent ?? "none", difference: "")
    }

    private func costs(_ name: String) -> Row? {
        guard base.generation != nil || other.generation != nil else { return nil }
        return counts(name, moreIsBetter: false) { $0.generation?.runs ?? 0 }
    }

    private var generation: Row? {
        guard let before = base.generation?.busy, let after = other.generation?.busy else {
            return nil
        }
        var row = Row(
            name: "generation time", base: before.spoken, other: after.spoken, difference: "")
        guard row.base != row.other else { return row }
        row.isBetter = after < before
        row.difference =
            before > .zero && after > .zero
            ? (after / before).times
            : after < before ? "\((before - after).spoken) less" : "\((after - before).spoken) more"
        return row
    }

    /// `+76 (3.1 ×)`.
    private static func difference(_ before: Int, _ after: Int) -> String {
        if before == after { return "" }
        let sum = after > before ? "+\((after - before).grouped)" : (after - before).grouped
        return before > 0 && after > 0 ? "\(sum) (\((Double(after) / Double(before)).times))" : sum
    }
}

extension Comparisons {
    /// One figure of all.
    struct Row: Sendable, Equatable {
        var name: String
        var base: String
        /// Of the others, in their order.
        var others: [Comparison.Row]
    }

    var rows: [Row] {
        var triggers: [String] = []
        for pair in pairs { triggers += pair.triggers.filter { !triggers.contains($0) } }
        let columns = pairs.map { $0.rows(triggers: triggers) }
        var names: [String] = []
        for row in columns.joined() where !names.contains(row.name) { names.append(row.name) }
        return names.map { name in
            let figures = columns.map { column in column.first { $0.name == name } }
            let base = figures.lazy.compactMap(\.self).first?.base ?? ""
            return Row(
                name: name, base: base,
                others: figures.map {
                    $0 ?? Comparison.Row(name: name, base: base, other: "none", difference: "")
                })
        }
    }
}

extension Comparisons {
    /// Those of all, then those that only some rest on, which bear their names.
    var assumptions: [String] {
        let reports = reports
        guard let base = reports.first else { return [] }
        let shared = base.assumptions.filter { assumption in
            reports.allSatisfy { $0.assumptions.contains(assumption) }
        }
        return shared
            + zip(names, reports).flatMap { name, report in
                report.assumptions.filter { !shared.contains($0) }.map { "\(name): \($0)" }
            }
    }
}
