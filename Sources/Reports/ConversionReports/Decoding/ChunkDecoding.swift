internal import PipelineCore

extension [Record] {
    /// Decodes records in place; the canonical bodies of all share one buffer.
    ///
    /// - Parameter decode: fills in the record's `id`, `digest` and `deadline` and appends its
    ///   canonical body, or appends nothing and throws.
    /// - Returns: the refused records, which are taken out; the others keep their order.
    mutating func decodeAll(
        stage: String, _ decode: (inout Record, inout [UInt8]) throws(Refusal) -> Void
    ) -> [Rejection] {
        var rejections: [Rejection] = []
        var bodies: [UInt8] = []
        bodies.reserveCapacity(reduce(0) { $0 + Swift.min($1.payload.count, PayloadFormat.limit) })
        var ends: [Int] = []
        ends.reserveCapacity(count)
        for index in indices {
            do {
                try decode(&self[index], &bodies)
                if ends.count != index { swapAt(ends.count, index) }
                ends.append(bodies.count)
            } catch {
                rejections.append(error.rejection(of: self[index], stage: stage))
            }
        }
        removeLast(count - ends.count)
        var start = 0
        for index in indices {
            self[index].body = bodies[start..<ends[index]]
            start = ends[index]
        }
        return rejections
    }
}
