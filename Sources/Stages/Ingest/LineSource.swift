internal import PipelineCore

/// Reads a file of JSON lines, or standard input, to its end.
final class LineSource: Source {
    /// Most bytes of lines read at once.
    static let maxBytes = 1 << 20

    private let lines: any LineInput
    private let maxChunk: Int
    private let intake: Intake

    init(lines: any LineInput, maxChunk: Int, intake: Intake) {
        self.lines = lines
        self.maxChunk = maxChunk
        self.intake = intake
    }

    func run(into outlet: Outlet) async throws {
        let source = lines.name
        let positions = lines.isSeekable ? intake.context.positions : nil
        var offset =
            try await positions?.positions(of: LogName(source), initial: [0: 0]).next[0] ?? 0
        do {
            while true {
                let read = try await lines.lines(from: offset, maxBytes: Self.maxBytes)
                if read.isEmpty { return }
                var rest = read[...]
                while !rest.isEmpty {
                    let next = rest.prefix(maxChunk)
                    rest = rest.dropFirst(maxChunk)
                    try await send(Array(next), from: &offset, positions != nil, into: outlet)
                }
            }
        } catch is CancellationError {
            return
        }
    }

    private func send(
        _ read: [Line], from offset: inout Int64, _ isStored: Bool, into outlet: Outlet
    ) async throws {
        var records: [Record] = []
        records.reserveCapacity(read.count)
        var start = offset
        for line in read {
            if !line.text.isEmpty {
                records.append(
                    Record(
                        payload: line.text, timestamp: .distantPast,
                        origin: Origin(source: lines.name, offset: start), ordinal: records.count))
            }
            start = line.next
        }
        let advance = PositionAdvance(
            source: lines.name, partition: 0, expected: offset, next: start)
        let delivery = Delivery(LineDelivery(lines: lines))
        try await intake.send(
            records, advances: isStored ? [advance] : [], delivery: delivery, into: outlet)
        offset = start
    }

    func close() async { await lines.close() }
}

private struct LineDelivery: DeliveryHandler {
    let lines: any LineInput
    func reject(_ rejections: [Rejection]) async throws {
        try await lines.keepRejected(rejections.map(DeadLetter.record))
    }
    func settled(_ settlement: Settlement) {}
}
