/// Completes when a call is over, and cancels its task if that was not the server's doing.
///
/// `Sendable`: used on the queue's thread only, which also sets ``cancelTask``.
final class CloseCompletion: Completion, @unchecked Sendable {
    /// Cancels the handler's task.
    var cancelTask: (@Sendable () -> Void)?
    private let request: RequestedCall
    private let onClose: () -> Void

    init(_ request: RequestedCall, onClose: @escaping () -> Void) {
        self.request = request
        self.onClose = onClose
    }

    override func complete(succeeded: Bool) {
        if request.wasCancelled { cancelTask?() }
        cancelTask = nil
        onClose()
    }
}
