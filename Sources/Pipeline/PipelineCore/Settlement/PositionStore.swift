/// The stored positions of a pipeline's inputs: the only truth about where reading goes on.
///
/// They advance in the same transaction as what was read becomes durable (``PositionAdvance``), so that replays,
/// rebalances and reset consumer groups change nothing.
public protocol PositionStore: Sendable {
    /// Reads the positions of a source's partitions; those not stored yet are stored first, as given.
    ///
    /// - Parameter initial: for each wanted partition the offset to start from if none is stored.
    /// - Returns: for each wanted partition the offset to read next.
    func positions(of source: String, initial: [Int32: Int64]) async throws -> [Int32: Int64]
}
