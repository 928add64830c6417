internal import Concurrency
internal import Logging
internal import PipelineCore
internal import Synchronization

/// Reads a file of JSON lines, or standard input, to its end.
///
/// A file that was replaced since is read from its start; one that is rotated away while it is read
/// is read to its end first. What stands behind the last line's end is taken if the codec can read
/// it, which nothing cut short can be; else it is left for the next run.
final class LineSource: Source {
    /// Most bytes of lines read at once.
    private static let maxBytes = 1 << 20

    private let lines: any LineInput
    private let maxChunk: Int
    private let intake: Intake
    private let resource: String
    private let file: (any DeadLetterPlace)?
    private let open = OpenLines()
    /// It has been read to its end. Another file may have its name when it is read again.
    private let hasEnded = Mutex(false)

    /// - Parameters:
    ///   - resource: the input's name in the pipeline's file.
    ///   - file: takes dead letters that the input's own file does not take, in a chain without a
    ///     store.
    init(
        lines: any LineInput, resource: String, maxChunk: Int, intake: Intake,
        file: (any DeadLetterPlace)? = nil
    ) {
        self.lines = lines
        self.resource = resource
        self.maxChunk = maxChunk
        self.intake = intake
        self.file = file
    }

    /// Where positions are kept; `nil` for what can't be read again.
    private var positions: (any PositionStore)? {
        lines.isSeekable ? intake.context.positions : nil
    }
    private var log: LogName { LogName(lines.name) }

    func run(into outlet: Outlet) async throws {
        do {
            if hasEnded.withLock({ $0 }) {
                _ = try await lines.isFollowed()
                hasEnded.withLock { $0 = false }
            }
            var place = try await begin()
            while true {
                if open.takeFailure(), positions != nil {
                    // Another process has taken over, or the chunk was dropped: go by what is
                    // stored.
                    try await open.settled()
                    place = try await begin()
                }
                let read = try await lines.lines(from: place.offset, maxBytes: Self.maxBytes)
                guard let last = read.last, !isUnfinished(last) else {
                    if try await !follow(place, unfinished: read.last, into: outlet) {
                        // What was sent last may have been of a position that is not the stored
                        // one any more.
                        guard open.takeMove(), positions != nil else {
                            return hasEnded.withLock { $0 = true }
                        }
                    }
                    place = try await begin()
                    continue
                }
                if let witness = try await lines.witness(at: last.next) {
                    try await positions?.keep([0: witness], of: place.source)
                }
                try await send(read, from: &place, into: outlet)
            }
        } catch is CancellationError {
            return
        }
    }

    /// What advances name the file by, and where to read on.
    private struct Place {
        var source: String
        var offset: Int64
    }

    private func begin() async throws -> Place {
        guard let positions else { return Place(source: lines.name, offset: 0) }
        var stored = try await positions.positions(of: log, initial: [0: 0])
        let offset = stored.next[0] ?? 0
        if let objection = try await lines.objection(to: offset, stored.witnesses[0]) {
            intake.context.logger.warning(
                "another file has the input's name: it is read from its start",
                metadata: ["input": "\(lines.name)", "reason": "\(objection)"])
            try await positions.restart(log, after: stored.source, at: [0: 0])
            stored = try await positions.positions(of: log, initial: [0: 0])
        } else if stored.witnesses[0] == nil, let witness = try await lines.witness(at: offset) {
            try await positions.keep([0: witness], of: stored.source)
        }
        return Place(source: stored.source, offset: stored.next[0] ?? 0)
    }

    /// The end of the file: answers whether another one has its name, which is to be read now.
    private func follow(
        _ place: Place, unfinished: Line?, into outlet: Outlet
    ) async throws -> Bool {
        var place = place
        // With acknowledgements that stay open until the input has ended, nothing can be waited
        // for.
        guard !intake.context.settlesLate else { return false }
        try await open.settled()
        guard try await lines.isFollowed() else {
            if unfinished != nil {
                intake.context.logger.warning(
                    "the last line has no end and can't be read: it is left until it has one",
                    metadata: ["input": "\(lines.name)", "offset": "\(place.offset)"])
            }
            return false
        }
        intake.context.logger.notice(
            "the input was rotated: the file that has its name now is read from its start",
            metadata: ["input": "\(lines.name)", "read_bytes": "\(place.offset)"])
        // Nobody ends it any more.
        if let unfinished { try await send([unfinished], from: &place, into: outlet) }
        try await open.settled()
        try await positions?.restart(log, after: place.source, at: [0: 0])
        return true
    }

    private func isUnfinished(_ line: Line) -> Bool {
        !line.isEnded && !intake.canRead(record(line, at: 0, ordinal: 0))
    }

    private func send(
        _ read: [Line], from place: inout Place, into outlet: Outlet
    ) async throws {
        var rest = read[...]
        while !rest.isEmpty {
            try await send(rest.prefix(maxChunk), from: &place, into: outlet)
            rest = rest.dropFirst(maxChunk)
        }
    }

    private func send(
        _ read: ArraySlice<Line>, from place: inout Place, into outlet: Outlet
    ) async throws {
        var records: [Record] = []
        records.reserveCapacity(read.count)
        var start = place.offset
        for line in read {
            if !line.text.isEmpty {
                records.append(record(line, at: start, ordinal: records.count))
            }
            start = line.next
        }
        let advance = PositionAdvance(
            source: place.source, partition: 0, expected: place.offset, next: start)
        let acknowledgement = intake.acknowledgement(
            LineAcknowledgement(
                lines: lines, resource: resource, open: open, file: file, context: intake.context))
        open.begin()
        try await intake.send(
            records, advances: positions == nil ? [] : [advance], acknowledgement: acknowledgement,
            into: outlet)
        place.offset = start
    }

    private func record(_ line: Line, at offset: Int64, ordinal: Int) -> Record {
        Record(
            payload: line.text, timestamp: .epoch,
            origin: Origin(source: lines.name, offset: offset), ordinal: ordinal)
    }

    func close() async { await lines.close() }
}

/// Chunks of lines that have not settled.
private final class OpenLines: Sendable {
    private struct State {
        var count = 0
        var hasFailed = false
        /// Another one has set the position, or read on.
        var hasMoved = false
    }
    private let state = Mutex(State())
    private let changed = Signal()

    func begin() { state.withLock { $0.count += 1 } }

    func end(_ settlement: Settlement) {
        state.withLock { state in
            state.count -= 1
            guard case .failed(let error) = settlement else { return }
            state.hasFailed = true
            if error.code == .positionMoved { state.hasMoved = true }
        }
        changed.send()
    }

    /// Waits until all have settled.
    func settled() async throws {
        while state.withLock({ $0.count > 0 }) { try await changed.wait() }
    }

    /// Whether one has failed since it was last asked for.
    func takeFailure() -> Bool {
        state.withLock { state in
            defer { (state.hasFailed, state.hasMoved) = (false, false) }
            return state.hasFailed
        }
    }

    /// Whether one has failed since, because the position is another one by now.
    func takeMove() -> Bool {
        state.withLock { state in
            let hasMoved = state.hasMoved
            if hasMoved { (state.hasFailed, state.hasMoved) = (false, false) }
            return hasMoved
        }
    }
}

private struct LineAcknowledgement: AcknowledgementHandler {
    let lines: any LineInput
    let resource: String
    let open: OpenLines
    let file: (any DeadLetterPlace)?
    let context: StageContext

    func reject(_ rejections: [Rejection]) async throws {
        do {
            try await lines.keepRejected(rejections.map(DeadLetter.record))
        } catch let refusal as PipelineError {
            try await keepElsewhere(rejections, refusal)
        }
    }

    /// A folder that can't be written to, or a full disk, holds up nothing that something else can
    /// take.
    private func keepElsewhere(_ rejections: [Rejection], _ refusal: PipelineError) async throws {
        guard let place: any DeadLetterPlace = context.deadLetters ?? file else { throw refusal }
        do {
            try await place.keep(
                rejections.map { StoredDeadLetter($0, resource: resource, refusal: refusal) })
        } catch let error as PipelineError where error.disposition != .retryable {
            // What is wrong with its own file is what somebody has to mend.
            throw refusal
        }
        context.refusals.keptElsewhere(
            rejections.count, of: lines.name, in: context.deadLetters == nil ? "file" : "store",
            because: refusal)
    }

    func settled(_ settlement: Settlement) { open.end(settlement) }
}
