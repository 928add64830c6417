internal import GRPCTransport
internal import PipelineCore
internal import Protobuf
internal import ReportMessages

/// A valid call of `GenerateReports`: a batch for the generator, and how its results go back.
///
/// What is wrong with one definition is found by the generator, as for cases that never left the
/// process, and fails that case alone.
struct GenerationCall: Sendable {
    let batch: Batch
    let batchID: String
    /// The cases as the caller spelt them, in the order of the batch.
    private let caseIDs: [String]
    /// Where the definition's `case_id` is no UUID.
    private let unnamed: Set<Int>

    /// - Throws: INVALID_ARGUMENT with everything that is wrong with the call.
    init(_ request: GenerateReportsRequest, now: Timestamp) throws(GRPCStatusError) {
        let violations = Self.violations(of: request)
        if !violations.isEmpty { throw .badRequest(violations) }
        batchID = request.batchID
        caseIDs = request.definitions.map(\.caseID)
        var unnamed: Set<Int> = []
        let cases = request.definitions.enumerated().map { index, definition in
            let id = UUID(definition.caseID)
            if id == nil { unnamed.insert(index) }
            return Case(
                number: Int64(index), id: id ?? UUID(high: 0, low: UInt64(index)), deadline: now,
                parameters: definition.parameters)
        }
        self.unnamed = unnamed
        batch = Batch(
            number: Int64(request.batchID) ?? 0, token: 0, attempts: 1, closedBy: "call",
            sealedAt: now, cases: cases)
    }

    private static func violations(of request: GenerateReportsRequest) -> [FieldViolation] {
        var violations: [FieldViolation] = []
        func violate(_ field: String, _ description: String) {
            violations.append(FieldViolation(field: field, description: description))
        }
        if request.batchID.utf8.count > GenerationLimits.batchIDBytes {
            violate(
                "batch_id",
                "has \(request.batchID.utf8.count) bytes of UTF-8; "
                    + "\(GenerationLimits.batchIDBytes) are allowed")
        }
        let count = request.definitions.count
        if count == 0 { violate("definitions", "is empty; at least 1 is needed") }
        guard count <= GenerationLimits.definitions else {
            violate("definitions", "has \(count); \(GenerationLimits.definitions) are allowed")
            return violations
        }
        var known: [String: Int] = [:]
        for (index, definition) in request.definitions.enumerated() {
            let name = UUID(definition.caseID)?.description ?? definition.caseID
            if let first = known[name] {
                violate("definitions[\(index)].case_id", "is that of definitions[\(first)] too")
            } else if !name.isEmpty {
                known[name] = index
            }
        }
        return violations
    }

    /// The answer to the call.
    ///
    /// - Throws: INTERNAL for a generator that does not do what generators do.
    func response(_ generated: GeneratedBatch) throws(GRPCStatusError) -> GenerateReportsResponse {
        guard generated.results.count == batch.cases.count else {
            throw GRPCStatusError(
                .internal,
                "the generator answered \(generated.results.count) of \(batch.cases.count) cases")
        }
        var response = GenerateReportsResponse()
        response.outcomes.reserveCapacity(batch.cases.count)
        for index in generated.results.indices {
            response.outcomes.append(try outcome(index, generated.results[index]))
        }
        response.dataAsOf = Google_Protobuf_Timestamp(generated.dataAsOf)
        response.rowsRead = generated.rowsRead
        return response
    }

    private func outcome(
        _ index: Int, _ result: CaseResult
    ) throws(GRPCStatusError) -> ReportOutcome {
        var outcome = ReportOutcome()
        outcome.caseID = caseIDs[index]
        switch result {
        case .failure(let code, let reason):
            outcome.result = .error(ReportError(code: code, reason: reason))
        case .report where unnamed.contains(index):
            // A generator that does not look at the name; nobody could be told whose report it is.
            outcome.result = .error(
                ReportError(code: .invalidParameters, reason: "case_id must be a UUID"))
        case .report(let bytes):
            do { outcome.result = .report(try Report(serializedBytes: bytes)) } catch {
                throw GRPCStatusError(
                    .internal, "the generator's answer to case \(caseIDs[index]) is no report")
            }
        }
        return outcome
    }
}

extension ReportDefinition {
    /// As the codec `report-request` writes what a case asks for.
    fileprivate var parameters: Bytes {
        let request = ReportRequest.with {
            $0.caseID = caseID
            $0.productID = productID
            $0.checkoutID = checkoutID
            $0.period = period
        }
        do { return try request.serializedBytes()[...] } catch {
            preconditionFailure("what came in a message of 16 MiB can be written: \(error)")
        }
    }
}
