internal import GRPCTransport
internal import Logging
internal import PipelineCore
internal import ReportMessages

/// The handler of `conversionreports.v1.ReportGeneratorService`.
struct GeneratorMethods: Sendable {
    let generator: any Generator
    let clock: PipelineClock
    let logger: Logger
    let observe: @Sendable (ServedRun) -> Void

    func add(to server: GRPCServer) {
        server.unary(ReportGeneratorServiceMethods.generateReports) {
            request, context throws(GRPCStatusError) -> UnaryAnswer<GenerateReportsResponse> in
            let call = try GenerationCall(request, now: clock.timestamp)
            let peer = context.peer
            // Its task is cancelled when the caller goes away and when the call's deadline passes.
            return .async { () throws(GRPCStatusError) in try await answer(call, peer) }
        }
    }

    private func answer(
        _ call: GenerationCall, _ peer: String
    ) async throws(GRPCStatusError) -> GenerateReportsResponse {
        var logger = logger
        logger[metadataKey: "batch"] = "\(call.batchID)"
        logger[metadataKey: "cases"] = "\(call.batch.cases.count)"
        logger[metadataKey: "peer"] = "\(peer)"
        logger.info("generating")
        let start = clock.now
        do {
            let generated = try await generator.generate(call.batch)
            let response = try call.response(generated)
            let took = start.duration(to: clock.now)
            let failures = response.outcomes.count(where: \.isError)
            observe(
                .generated(
                    cases: response.outcomes.count, failures: failures,
                    rowsRead: generated.rowsRead, took: took))
            logger.info(
                "batch generated",
                metadata: ["failures": "\(failures)", "seconds": "\(took.inSeconds)"])
            return response
        } catch {
            let took = start.duration(to: clock.now)
            observe(.failed(took: took))
            logger.warning(
                error is CancellationError
                    ? "run cancelled: its caller is gone or its deadline has passed" : "run failed",
                metadata: ["error": "\(error)", "seconds": "\(took.inSeconds)"])
            throw GRPCStatusError(ofRun: error)
        }
    }
}

extension ReportOutcome {
    fileprivate var isError: Bool { if case .error? = result { true } else { false } }
}

/// One call of `GenerateReports` as its server saw it, for metrics.
public enum ServedRun: Sendable {
    /// Every case has an outcome; `failures` of them are errors.
    case generated(cases: Int, failures: Int, rowsRead: Int64?, took: Duration)
    /// The call ended with another status than OK.
    case failed(took: Duration)
}
