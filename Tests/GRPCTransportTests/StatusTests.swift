import GRPCTransport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct StatusTests {
    @Test("Code, message and details of an error reach the client", arguments: [true, false])
    func errorReachesClient(atOnce: Bool) async throws {
        let error = GRPCStatusError(
            .failedPrecondition, "größer als 100 %: \u{1F600}\nline two", details: [8, 9, 0, 255],
            retryAfter: .milliseconds(1500))
        try await withServer { server in
            server.unary("/test.Fail/Now") { _, _ throws(GRPCStatusError) in
                if atOnce { throw error }
                return .async { () throws(GRPCStatusError) in throw error }
            }
        } _: { _, client in
            let status = await failure { () throws(GRPCStatusError) in
                try await client.unary("/test.Fail/Now", [], timeout: .seconds(30))
            }
            #expect(status == error)
        }
    }

    @Test("Each code arrives as it was sent", arguments: GRPCStatusCode.allCases)
    func everyCode(code: GRPCStatusCode) async throws {
        if code == .ok { return }
        try await withServer { server in
            server.unary("/test.Fail/Now") { _, _ throws(GRPCStatusError) in
                throw GRPCStatusError(code, "as it is")
            }
        } _: { _, client in
            let status = await failure { () throws(GRPCStatusError) in
                try await client.unary("/test.Fail/Now", [], timeout: .seconds(30))
            }
            #expect(status == GRPCStatusError(code, "as it is"))
        }
    }

    @Test("A message loses the space around it, and what is too long")
    func messageIsSendable() async throws {
        let long = String(repeating: "ü", count: 5_000)
        try await withServer { server in
            server.unary("/test.Fail/Space") { _, _ throws(GRPCStatusError) in
                throw GRPCStatusError(.aborted, " \tends in space \n ")
            }
            server.unary("/test.Fail/Long") { _, _ throws(GRPCStatusError) in
                throw GRPCStatusError(
                    .aborted, long, details: Array(repeating: 1, count: 10_000))
            }
        } _: { _, client in
            let spaced = await failure { () throws(GRPCStatusError) in
                try await client.unary("/test.Fail/Space", [], timeout: .seconds(30))
            }
            #expect(spaced?.message == "ends in space")
            let cut = await failure { () throws(GRPCStatusError) in
                try await client.unary("/test.Fail/Long", [], timeout: .seconds(30))
            }
            #expect(cut?.code == .aborted)
            #expect(cut?.message == String(long.prefix(512)))
            #expect(cut?.details == [])
        }
    }

    @Test("A method that nobody has added is unimplemented")
    func unknownMethod() async throws {
        try await withServer { _ in
        } _: { _, client in
            for _ in 0..<50 {
                let status = await failure { () throws(GRPCStatusError) in
                    try await client.unary("/test.Nobody/Knows", [1], timeout: .seconds(30))
                }
                #expect(
                    status
                        == GRPCStatusError(
                            .unimplemented, "there is no method /test.Nobody/Knows"))
            }
        }
    }

    @Test("Metadata that may not be sent are refused before anything is sent")
    func illegalMetadata() async throws {
        try await withServer { server in
            server.unary("/test.Echo/Now") { _, _ in .reply([]) }
        } _: { _, client in
            let status = await failure { () throws(GRPCStatusError) in
                try await client.unary(
                    "/test.Echo/Now", [], timeout: .seconds(30), metadata: ["x-name": "ü"])
            }
            #expect(status?.code == .invalidArgument)
        }
    }
}
