extension ThrowingTaskGroup where Failure == any Error {
    /// Waits for all children, or for the first that fails: its error is thrown at once, so that leaving the group's
    /// scope cancels the others.
    ///
    /// `waitForAll()` waits for them before it throws; a child that never ends by itself would hide the failure of
    /// another for ever.
    public mutating func waitForAllOrFirstFailure() async throws {
        while try await next() != nil {}
    }
}
