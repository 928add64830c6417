internal import PipelineCore
internal import Protobuf
internal import ReportMessages

/// What a batch asks a remote generator, and how its answer becomes the batch's.
///
/// A case whose parameters can't be read fails here, alone, and is not sent. Two cases with one id
/// and one definition are sent once.
struct WantedReports: Sendable {
    private enum Place: Sendable {
        /// The definition that was sent for the case.
        case sent(Int)
        case failed(CaseResult)
    }

    let request: GenerateReportsRequest
    private let places: [Place]

    init(_ batch: Batch) {
        var request = GenerateReportsRequest()
        request.batchID = String(batch.number)
        var known: [ReportDefinition: Int] = [:]
        places = batch.cases.map { item in
            do {
                let definition = try ReportDefinition(item)
                if let index = known[definition] { return .sent(index) }
                known[definition] = request.definitions.count
                request.definitions.append(definition)
                return .sent(request.definitions.count - 1)
            } catch {
                return .failed(.failure(code: .invalidParameters, reason: "\(error)"))
            }
        }
        self.request = request
    }

    /// The batch's answer if nothing had to be sent; `nil` otherwise.
    func answer(at now: Timestamp) -> GeneratedBatch? {
        guard request.definitions.isEmpty else { return nil }
        return GeneratedBatch(results: results([]), dataAsOf: now)
    }

    /// The batch's answer from a generator's, once that is found to answer what was asked.
    ///
    /// - Throws: ``MismatchedResponse``.
    func answer(from response: GenerateReportsResponse) throws(MismatchedResponse) -> GeneratedBatch
    {
        guard let dataAsOf = response.dataAsOf, dataAsOf.isValid else {
            throw MismatchedResponse("it has no data_as_of")
        }
        let answers = try answers(response, dataAsOf)
        return GeneratedBatch(
            results: results(answers),
            dataAsOf: Timestamp(
                microseconds: dataAsOf.seconds * 1_000_000 + Int64(dataAsOf.nanos) / 1000),
            rowsRead: response.rowsRead)
    }

    private func results(_ answers: [CaseResult]) -> [CaseResult] {
        places.map { place in
            switch place {
            case .sent(let index): answers[index]
            case .failed(let failure): failure
            }
        }
    }

    /// One result for each definition that was sent, in their order.
    private func answers(
        _ response: GenerateReportsResponse, _ dataAsOf: Google_Protobuf_Timestamp
    ) throws(MismatchedResponse) -> [CaseResult] {
        let wanted = request.definitions
        guard response.outcomes.count == wanted.count else {
            throw MismatchedResponse(
                "it has \(response.outcomes.count) outcomes for \(wanted.count) definitions")
        }
        var byID: [String: Int] = [:]
        for (index, outcome) in response.outcomes.enumerated() {
            if byID.updateValue(index, forKey: outcome.caseID) != nil {
                throw MismatchedResponse("it answers case \(outcome.caseID) twice")
            }
        }
        // One buffer for the reports of the batch.
        var buffer: [UInt8] = []
        buffer.reserveCapacity(wanted.count * 192)
        var found: [Result<Range<Int>, CaseFailure>] = []
        for definition in wanted {
            guard let index = byID[definition.caseID] else {
                throw MismatchedResponse("it has no outcome for case \(definition.caseID)")
            }
            switch response.outcomes[index].result {
            case .error(let error)?: found.append(.failure(CaseFailure(result: CaseResult(error))))
            case .report(let report)? where report.answers(definition, dataAsOf):
                let start = buffer.count
                do { try report.serialize(appendingTo: &buffer) } catch {
                    throw MismatchedResponse("the report of case \(definition.caseID): \(error)")
                }
                found.append(.success(start..<buffer.count))
            case .report?:
                throw MismatchedResponse(
                    "the report of case \(definition.caseID) is about something else")
            case nil:
                throw MismatchedResponse("the outcome of case \(definition.caseID) is empty")
            }
        }
        return found.map { result in
            switch result {
            case .success(let range): .report(buffer[range])
            case .failure(let failure): failure.result
            }
        }
    }
}

private struct CaseFailure: Error {
    var result: CaseResult
}

/// A response that is not an answer to its request: the generator is broken, or of another version.
struct MismatchedResponse: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension ReportDefinition {
    /// What a case asks for. The case's own id counts, as it does for the generator in the process.
    fileprivate init(_ item: Case) throws(ProtobufError) {
        let request = try ReportRequest(serializedBytes: item.parameters)
        self.init()
        caseID = item.id.description
        productID = request.productID
        checkoutID = request.checkoutID
        period = request.period
    }
}

extension Report {
    fileprivate func answers(
        _ definition: ReportDefinition, _ dataAsOf: Google_Protobuf_Timestamp
    ) -> Bool {
        caseID == definition.caseID && productID == definition.productID
            && checkoutID == definition.checkoutID && period == definition.period
            && self.dataAsOf == dataAsOf
    }
}
