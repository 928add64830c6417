import Concurrency
import GRPCTransport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct CancellationTests {
    /// Serves a method that waits until its task is cancelled, and says so.
    private func withWaitingServer(
        _ body: (GRPCClient, _ arrived: CountedSignal, _ cancelled: CountedSignal) async throws ->
            Void
    ) async throws {
        let arrived = CountedSignal()
        let cancelled = CountedSignal()
        try await withServer { server in
            server.unary("/test.Wait/Unary") { _, _ in
                .async { () throws(GRPCStatusError) in
                    arrived.send()
                    await untilCancelled()
                    cancelled.send()
                    throw GRPCStatusError(.aborted, "nobody hears this")
                }
            }
            server.stream("/test.Wait/Stream") { _ in
                arrived.send()
                await untilCancelled()
                cancelled.send()
            }
        } _: { _, client in
            try await body(client, arrived, cancelled)
        }
    }

    @Test("A deadline that passes ends the call at both sides")
    func deadlineExceeded() async throws {
        try await withWaitingServer { client, arrived, cancelled in
            // On a busy machine a short deadline may pass before the call arrives.
            var timeout = Duration.milliseconds(20)
            repeat {
                timeout *= 2
                let status = await failure { [timeout] () throws(GRPCStatusError) in
                    try await client.unary("/test.Wait/Unary", [], timeout: timeout)
                }
                #expect(status?.code == .deadlineExceeded)
            } while arrived.count == 0
            await cancelled.receive()
        }
    }

    @Test("A client that cancels its call cancels the handler's task")
    func clientCancels() async throws {
        try await withWaitingServer { client, arrived, cancelled in
            let call = Task {
                await failure { () throws(GRPCStatusError) in
                    try await client.unary("/test.Wait/Unary", [], timeout: .seconds(30))
                }
            }
            await arrived.receive()
            call.cancel()
            #expect(await call.value?.code == .cancelled)
            await cancelled.receive()
        }
    }

    @Test("A call in a cancelled task is not begun")
    func cancelledBefore() async throws {
        try await withWaitingServer { client, _, _ in
            let gate = AsyncEvent()
            let call = Task {
                await gate.waitIgnoringCancellation()
                return await failure { () throws(GRPCStatusError) in
                    try await client.unary("/test.Wait/Unary", [], timeout: .seconds(30))
                }
            }
            call.cancel()
            gate.set()
            #expect(await call.value?.code == .cancelled)
        }
    }

    @Test("A client that goes away cancels the handler's task")
    func clientGoesAway() async throws {
        try await withWaitingServer { client, arrived, cancelled in
            async let status = failure { () throws(GRPCStatusError) in
                try await client.unary("/test.Wait/Unary", [], timeout: .seconds(30))
            }
            await arrived.receive()
            await client.shutdown()
            #expect(await status?.code == .cancelled)
            await cancelled.receive()
        }
    }

    @Test("A stream that is let go cancels the handler's task")
    func streamIsLetGo() async throws {
        try await withWaitingServer { client, arrived, cancelled in
            var stream: GRPCClientStream? = try client.stream("/test.Wait/Stream", timeout: nil)
            await arrived.receive()
            withExtendedLifetime(stream) {}
            stream = nil
            await cancelled.receive()
        }
    }
}
