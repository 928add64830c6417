internal import GRPCTransport
internal import Identity
internal import PipelineCore
internal import Protobuf
internal import ReportMessages

extension ReportMethods {
    /// How often requests are handed in again without any of them being taken.
    private static let fruitlessRounds = 2

    /// Hands in all requests at once, so that they are written together, and waits for each. So
    /// many may take longer than one is waited for: those are handed in again.
    func createAll(
        _ requests: [ReportRequest], for caller: Caller?, _ trace: TraceContext?
    ) async throws(GRPCStatusError) -> BatchCreateReportsResponse {
        let ids = requests.map { UUID($0.caseID) }
        let known: Set<UUID>
        do { known = try await answers.known(of: ids.compactMap(\.self)) } catch {
            throw GRPCStatusError(converting: error)
        }
        var results: [Int: Result<CreateReportResponse, GRPCStatusError>] = [:]
        var left = Array(requests.indices)
        var fruitless = 0
        while !left.isEmpty, fruitless < Self.fruitlessRounds, !Task.isCancelled {
            for (place, result) in await create(left, of: requests, for: caller, trace) {
                results[place] = result
            }
            let before = left.count
            left = left.filter { results[$0]?.error?.code == .unavailable }
            fruitless = left.count == before ? fruitless + 1 : 0
        }
        let refusals = results.values.compactMap(\.error)
        if let first = refusals.first(where: { $0.code == .unavailable }),
            refusals.count(where: { $0.code == .unavailable }) == requests.count
        {
            throw first
        }
        var response = BatchCreateReportsResponse()
        for (place, request) in requests.enumerated() {
            var report = CreatedReport()
            report.caseID = request.caseID
            switch results[place] {
            case .success(let created)?:
                report.caseID = created.caseID
                report.wasKnown = ids[place].map(known.contains) ?? false
                report.revision = created.revision
                report.result = created.status.map { .status($0) }
            case .failure(let refusal)?: report.result = .error(refusal.reportError)
            case nil: break
            }
            response.reports.append(report)
        }
        return response
    }
}

extension ReportMethods {
    private func create(
        _ places: [Int], of requests: [ReportRequest], for caller: Caller?,
        _ trace: TraceContext?
    ) async -> [Int: Result<CreateReportResponse, GRPCStatusError>] {
        await withTaskGroup(
            of: (Int, Result<CreateReportResponse, GRPCStatusError>).self
        ) { group in
            for place in places {
                group.addTask {
                    do throws(GRPCStatusError) {
                        let created = try await create(requests[place], for: caller, trace)
                        return (place, .success(created))
                    } catch {
                        return (place, .failure(error))
                    }
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }
}

extension Result {
    fileprivate var error: Failure? {
        if case .failure(let error) = self { error } else { nil }
    }
}

extension GRPCStatusError {
    /// The error as a message tells it. What may be asked again has the code `UNAVAILABLE`, others
    /// the reason of their `ErrorInfo`.
    fileprivate var reportError: ReportError {
        .with {
            $0.code = code == .unavailable ? "UNAVAILABLE" : reason ?? "REFUSED"
            $0.message = message
        }
    }

    private var reason: String? {
        (try? Google_Rpc_Status(serializedBytes: details))?.details.lazy
            .compactMap { try? $0.unpack(as: Google_Rpc_ErrorInfo.self) }.first?.reason
    }
}
