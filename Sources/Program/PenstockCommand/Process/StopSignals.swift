internal import Dispatch
internal import Glibc
internal import PipelineCore
internal import Synchronization

/// SIGTERM and SIGINT: the first asks for a graceful stop, a second ends the process at once.
final class StopSignals: Sendable {
    /// Dispatch's own lock guards a source; these are only kept and cancelled.
    private nonisolated(unsafe) let sources: [any DispatchSourceSignal]

    init(_ stop: Latch) {
        unsafe sources = [SIGTERM, SIGINT].map { number in
            // The default action would end the process before the source hears of the signal.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                if stop.isOpen { _exit(128 + number) }
                stop.open()
            }
            source.activate()
            return source
        }
    }

    deinit { for source in unsafe sources { source.cancel() } }
}
