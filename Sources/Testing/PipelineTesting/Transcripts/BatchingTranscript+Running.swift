internal import PipelineCore

extension BatchingTranscript {
    /// Puts a subject, whose time is the transcript's ``start``, through all steps.
    ///
    /// - Throws: ``ConformanceFailure`` that names the step and says what was expected and found.
    public func run(on subject: any TranscriptSubject) async throws {
        var run = TranscriptRun(subject: subject, now: start)
        for (index, step) in steps.enumerated() {
            do {
                try await run.perform(step)
            } catch let failure as ConformanceFailure {
                throw ConformanceFailure(
                    "step \(index + 1), \(step.headline) at \(run.now.text): "
                        + failure.description)
            }
        }
    }
}

/// A run under way.
private struct TranscriptRun {
    let subject: any TranscriptSubject
    var now: Timestamp
    /// By number.
    private var names: [String] = []

    init(subject: any TranscriptSubject, now: Timestamp) {
        self.subject = subject
        self.now = now
    }

    mutating func perform(_ step: TranscriptStep) async throws {
        switch try step.action {
        case .input(let cases, let deadline):
            let deadline = deadline.map { now.advanced(by: $0) }
            let arriving: [String] =
                switch cases {
                case .named(let names): names
                case .number(let count): (0..<count).map { "#\(names.count + $0)" }
                }
            let first = names.count
            names += arriving
            try await subject.accept(
                arriving.indices.map { TranscriptCase(number: first + $0, deadline: deadline) })
        case .advance(let time):
            guard let instant = time.instant(from: now), instant > now else {
                throw ConformanceFailure("time does not go there")
            }
            try await subject.advance(to: instant)
            now = instant
        case .flush: try await subject.flush()
        case .expect(let batches): try await expect(batches, step)
        }
    }

    private func expect(_ batches: [TranscriptBatches.Batch], _ step: TranscriptStep) async throws {
        let sealing = try await subject.seal()
        let found = sealing.batches
        let isRight =
            found.count == batches.count
            && zip(found, batches).allSatisfy { found, expected in
                found.closedBy == expected.closedBy
                    && expected.size ?? found.cases.count == found.cases.count
                    && expected.cases ?? names(of: found) == names(of: found)
            }
        if !isRight {
            let wanted = batches.map { text($0.closedBy, $0.cases, $0.size) }
            let got = found.map { text($0.closedBy, names(of: $0), $0.cases.count) }
            throw ConformanceFailure("expected \(list(wanted)), found \(list(got))")
        }
        if let next = step.next, next.instant(from: now) != sealing.next {
            throw ConformanceFailure(
                "expected next \(next.instant(from: now)?.text ?? "never"), "
                    + "found next \(sealing.next?.text ?? "never")")
        }
        if let waiting = step.waiting {
            try requireEqual(sealing.waiting, waiting, "waiting")
        }
    }

    private func names(of batch: TranscriptSealing.Batch) -> [String] {
        batch.cases.map { names[$0] }
    }

    private func list(_ batches: [String]) -> String {
        batches.isEmpty ? "no batch" : batches.joined(separator: " then ")
    }

    /// `count: a b`, or `count: 512 cases` where the names say nothing.
    private func text(_ reason: String, _ cases: [String]?, _ size: Int?) -> String {
        guard let cases, cases.count <= 12 else {
            return "\(reason): \(size.map { "\($0) cases" } ?? "any cases")"
        }
        return "\(reason): \(cases.joined(separator: " "))"
    }
}

extension TranscriptStep {
    /// The key that makes it a step.
    fileprivate var headline: String {
        if input != nil { return "input" }
        if advance != nil { return "advance" }
        return flush ? "flush" : "expect"
    }
}
