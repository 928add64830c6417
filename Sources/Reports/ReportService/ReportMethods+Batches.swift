internal import GRPCTransport
internal import Identity
internal import PipelineCore
internal import Protobuf
internal import ReportMessages

extension ReportMethods {
    /// Hands in all requests at once, so that they are written together, and waits for each.
    func createAll(
        _ requests: [ReportRequest], for caller: Caller?, _ trace: TraceContext?
    ) async throws(GRPCStatusError) -> BatchCreateReportsResponse {
        let ids = requests.map { UUID($0.caseID) }
        let known: Set<UUID>
        do { known = try await answers.known(of: ids.compactMap(\.self)) } catch {
            throw GRPCStatusError(converting: error)
        }
        let results = await withTaskGroup(
            of: (Int, Result<CreateReportResponse, GRPCStatusError>).self
        ) { group in
            for (place, request) in requests.enumerated() {
                group.addTask {
                    do throws(GRPCStatusError) {
                        let named = try caller?.requesting(request) ?? request
                        return (place, .success(try await create(named, for: caller, trace)))
                    } catch {
                        return (place, .failure(error))
                    }
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
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
            let wasKnown = ids[place].map(known.contains) ?? false
            // Whether somebody else's case is there is nothing to be learned by a refusal.
            if results[place]?.error == nil || caller?.role.seesAllCases ?? true {
                report.wasKnown = wasKnown
            }
            switch results[place] {
            case .success(let created)?:
                report.caseID = created.caseID
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
