import Concurrency
import GRPCTransport
import Logging
import PipelineCore
import PipelineTesting
import Protobuf
import ReportMessages
import Testing

@testable import ReportService

@Suite("The generator grpc", .timeLimit(.minutes(5)))
struct RemoteGeneratorTests {
    private let time = ManualClock()
    private let capture = LogCapture()

    private func generator(
        _ endpoints: [ScriptedEndpoint], timeout: Duration = .seconds(60)
    ) -> RemoteGenerator {
        RemoteGenerator(
            endpoints: endpoints, timeout: timeout, clock: time.clock,
            random: RandomSource(seed: 1),
            outages: Outages(clock: time.clock, logger: capture.logger()))
    }

    /// Generates while pauses pass by themselves.
    private func generate(
        _ generator: RemoteGenerator, _ batch: Batch
    ) async -> Result<GeneratedBatch, any Error> {
        await withTaskGroup(of: Result<GeneratedBatch, any Error>?.self) { group in
            group.addTask {
                do { return .success(try await generator.generate(batch)) } catch {
                    return .failure(error)
                }
            }
            group.addTask { [time] in
                while !Task.isCancelled {
                    guard (try? await time.sleepers()) != nil else { break }
                    time.advance(by: .milliseconds(100))
                }
                return nil
            }
            let result = await group.next() ?? nil
            group.cancelAll()
            return result ?? .failure(CancellationError())
        }
    }

    private func failure(
        _ generator: RemoteGenerator, _ batch: Batch
    ) async throws -> PipelineError {
        switch await generate(generator, batch) {
        case .success: throw ConformanceFailure("it answered")
        case .failure(let error): try #require(error as? PipelineError)
        }
    }

    private static func failing(_ address: String, _ code: GRPCStatusCode) -> ScriptedEndpoint {
        ScriptedEndpoint(address) { _ throws(GRPCStatusError) in
            throw GRPCStatusError(code, "it said so")
        }
    }

    @Test("can answer while one address serves, and says of each why not otherwise")
    func probe() async throws {
        let gone = ScriptedEndpoint(
            "a:1", health: .failure(GRPCStatusError(.unavailable, "nobody there")))
        let busy = ScriptedEndpoint("b:1", health: .success(false))
        let silent = ScriptedEndpoint("c:1", health: .failure(GRPCStatusError(.unimplemented, "")))
        try await generator([gone, busy, ScriptedEndpoint("d:1")]).probe()
        try await generator([gone, silent]).probe()
        let error = await #expect(throws: PipelineError.self) {
            try await generator([gone, busy]).probe()
        }
        #expect(error?.code == "generator-unavailable" && error?.disposition == .retryable)
        #expect(error?.message.contains("a:1") == true && error?.message.contains("b:1") == true)
    }

    @Test("answers in the order of the cases, whatever the order of the outcomes")
    func order() async throws {
        let batch = try Batch.sample(20)
        let answer = try await generator([ScriptedEndpoint("a:1")]).generate(batch)
        #expect(answer.rowsRead == 9)
        #expect(answer.dataAsOf == Timestamp(microseconds: 1_793_318_400_000_000))
        for (item, result) in zip(batch.cases, answer.results) {
            guard case .report(let bytes) = result else { throw ConformanceFailure("no report") }
            #expect(try Report(serializedBytes: bytes).caseID == item.id.description)
        }
    }

    @Test("sends batches to its addresses in turn, each with what is left of the time-out")
    func turns() async throws {
        let endpoints = [ScriptedEndpoint("a:1"), ScriptedEndpoint("b:1")]
        let generator = generator(endpoints, timeout: .seconds(60))
        for _ in 0..<4 { _ = try await generator.generate(try Batch.sample(1)) }
        #expect(endpoints.map(\.timeouts.count) == [2, 2])
        #expect(endpoints[0].timeouts == [.seconds(60), .seconds(60)])
    }

    @Test(
        "goes elsewhere at once when an address fails",
        arguments: [
            .unavailable, .deadlineExceeded, .resourceExhausted, .cancelled, .aborted, .internal,
            .unknown, .unimplemented, .permissionDenied, .failedPrecondition,
        ] as [GRPCStatusCode])
    func elsewhere(code: GRPCStatusCode) async throws {
        let broken = Self.failing("a:1", code)
        let whole = ScriptedEndpoint("b:1")
        let generator = generator([broken, whole])
        _ = try await generator.generate(try Batch.sample(2))
        _ = try await generator.generate(try Batch.sample(2))
        #expect(broken.timeouts.count == 1, "it is paused")
        #expect(whole.timeouts.count == 2)
        #expect(
            capture.events.contains { $0.metadata["error"]?.description.contains("a:1") ?? false })
    }

    @Test("passes by those that do not serve, and takes those without health service at their word")
    func health() async throws {
        let stopping = ScriptedEndpoint("a:1", health: .success(false))
        let gone = ScriptedEndpoint("b:1", health: .failure(.init(.unavailable, "refused")))
        let simple = ScriptedEndpoint("c:1", health: .failure(.init(.unimplemented, "unknown")))
        _ = try await generator([stopping, gone, simple]).generate(try Batch.sample(1))
        #expect(stopping.timeouts.isEmpty && gone.timeouts.isEmpty)
        #expect(stopping.checks == 1 && gone.checks == 1)
        #expect(simple.timeouts.count == 1)
    }

    @Test("tries a few rounds, with pauses, and gives the batch back")
    func givesUp() async throws {
        let endpoints = [Self.failing("a:1", .unavailable), Self.failing("b:1", .unavailable)]
        let error = try await failure(generator(endpoints), try Batch.sample(2, attempts: 99))
        #expect(error.disposition == .retryable && error.code == "generator-unavailable")
        #expect(error.message.contains("a:1: UNAVAILABLE: it said so"))
        #expect(error.message.contains("b:1"))
        #expect(
            endpoints.map(\.timeouts.count) == [RemoteGenerator.rounds, RemoteGenerator.rounds])
        // Pauses of at least half of 250, 500 and 1000 ms.
        #expect(time.now >= Instant(nanoseconds: 875_000_000))
    }

    @Test("stops trying when the time is over")
    func timeIsUp() async throws {
        let endpoint = Self.failing("a:1", .unavailable)
        let error = try await failure(
            generator([endpoint], timeout: .milliseconds(300)), try Batch.sample(1))
        #expect(error.disposition == .retryable && error.code == "generation-timeout")
        #expect(endpoint.timeouts.count < RemoteGenerator.rounds)
    }

    @Test(
        "lets the batch be split when no generator will ever answer it",
        arguments: [.invalidArgument, .outOfRange] as [GRPCStatusCode])
    func permanent(code: GRPCStatusCode) async throws {
        let other = ScriptedEndpoint("b:1")
        let error = try await failure(
            generator([Self.failing("a:1", code), other]), try Batch.sample(2))
        #expect(error.disposition == .permanent && error.code == "generator-refused")
        #expect(error.message == "it said so")
        #expect(other.timeouts.isEmpty)
    }

    @Test("takes a server's stumbling for the batch's fault only after many claims")
    func stumbling() async throws {
        let generator = generator([Self.failing("a:1", .unknown)])
        let early = try await failure(generator, try Batch.sample(2, attempts: 8))
        #expect(early.disposition == .retryable)
        let late = try await failure(generator, try Batch.sample(2, attempts: 9))
        #expect(late.disposition == .permanent && late.code == "generator-broken")
    }

    static let mismatches: [(String, @Sendable (inout GenerateReportsResponse) -> Void)] = [
        ("1 outcomes for 2", { $0.outcomes.removeLast() }),
        ("twice", { $0.outcomes[1] = $0.outcomes[0] }),
        ("no outcome for case", { $0.outcomes[1].caseID = "another" }),
        ("is empty", { $0.outcomes[1].result = nil }),
        ("no data_as_of", { $0.dataAsOf = nil }),
        ("about something else", { $0.dataAsOf?.seconds += 1 }),
        ("about something else", { $0.change { $0.productID = "another" } }),
        ("about something else", { $0.change { $0.checkoutID = "one" } }),
        ("about something else", { $0.change { $0.caseID = "another" } }),
        ("about something else", { $0.change { $0.period?.endTime?.nanos = 1 } }),
    ]

    @Test("refuses an answer that does not match the batch", arguments: mismatches.indices)
    func mismatch(index: Int) async throws {
        let (problem, change) = Self.mismatches[index]
        let endpoint = ScriptedEndpoint("a:1") { wanted in
            var response = GenerateReportsResponse.answering(wanted)
            change(&response)
            return response
        }
        let error = try await failure(generator([endpoint]), try Batch.sample(2))
        #expect(error.disposition == .retryable && error.code == "generator-mismatch")
        #expect(error.message.contains(problem), "\(error.message)")
    }

    @Test("hands on a generator's error for one case")
    func caseError() async throws {
        let endpoint = ScriptedEndpoint("a:1") { wanted in
            var response = GenerateReportsResponse.answering(wanted)
            response.outcomes[0].result = .error(
                .with {
                    $0.code = "UNKNOWN_PRODUCT"
                    $0.message = "there is no such product"
                })
            return response
        }
        let answer = try await generator([endpoint]).generate(try Batch.sample(2))
        guard case .report = answer.results[0],
            case .failure(let code, let reason) = answer.results[1]
        else { throw ConformanceFailure("\(answer.results)") }
        #expect(code == "unknown-product" && reason == "there is no such product")
    }

    @Test("sends a case once that stands in the batch twice")
    func repeated() async throws {
        let endpoint = ScriptedEndpoint("a:1") { wanted throws(GRPCStatusError) in
            if wanted.definitions.count != 1 { throw GRPCStatusError(.invalidArgument, "twice") }
            return .answering(wanted)
        }
        var batch = try Batch.sample(1)
        batch.cases.append(batch.cases[0])
        #expect(try await generator([endpoint]).generate(batch).results.count == 2)
    }

    @Test("ends when it is cancelled, and tries nowhere else")
    func cancelled() async throws {
        let reached = AsyncEvent()
        let held = ScriptedEndpoint("a:1") { _ throws(GRPCStatusError) in
            reached.set()
            try? await AsyncEvent().wait()
            throw GRPCStatusError(.cancelled, "the call was cancelled")
        }
        let other = ScriptedEndpoint("b:1")
        let generator = generator([held, other])
        let batch = try Batch.sample(1)
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                do {
                    _ = try await generator.generate(batch)
                    return false
                } catch { return error is CancellationError }
            }
            try? await reached.wait()
            group.cancelAll()
            #expect(await group.next() == true)
        }
        #expect(other.checks == 0)
    }
}

extension GenerateReportsResponse {
    fileprivate mutating func change(_ body: (inout Report) -> Void) {
        guard case .report(var report)? = outcomes[0].result else { return }
        body(&report)
        outcomes[0].result = .report(report)
    }
}
