internal import GRPCTransport
internal import Identity
internal import PipelineCore
internal import Protobuf
internal import ReportMessages

/// The handlers of `conversionreports.v1.ReportService`.
struct ReportMethods: Sendable {
    /// WaitReport waits no longer, whatever is asked for.
    private static let longestWait: Duration = .seconds(60)
    /// Calls for many are for no more at once.
    private static let mostCases = 1000
    /// An error names no more fields: details of more than a few KiB do not reach the client.
    private static let mostViolations = 20

    let port: any RequestPort
    let answers: CaseAnswers
    let list: CaseList?
    let waiting: WaitingReaders?
    let clock: PipelineClock
    /// Names the API in the origin of records.
    let source: String
    let access: AccessControl

    func add(to server: GRPCServer) {
        server.unary(ReportServiceMethods.createReport, admitting: admit(.create)) {
            request, caller, context throws(GRPCStatusError) -> UnaryAnswer<CreateReportResponse> in
            guard let wanted = request.request else {
                throw .badRequest([FieldViolation(field: "request", description: "is missing")])
            }
            let trace = TraceContext(of: context)
            return .async { () throws(GRPCStatusError) in
                try await create(wanted, for: caller, trace)
            }
        }
        server.unary(ReportServiceMethods.batchCreateReports, admitting: admit(.create)) {
            request, caller, context throws(GRPCStatusError)
                -> UnaryAnswer<BatchCreateReportsResponse> in
            try checkCount(request.requests.count, "requests")
            let trace = TraceContext(of: context)
            return .async { () throws(GRPCStatusError) in
                try await createAll(request.requests, for: caller, trace)
            }
        }
        server.unary(ReportServiceMethods.getReport, admitting: admit(.read)) {
            request, caller, _ throws(GRPCStatusError) -> UnaryAnswer<[UInt8]> in
            let id = try caseID(request.caseID)
            if let known = try known(id, to: caller) { return .reply(known) }
            return .async { () throws(GRPCStatusError) in try await get(id, for: caller) }
        }
        server.unary(
            ReportServiceMethods.waitReport, atShutdown: .interrupt, admitting: admit(.read)
        ) {
            request, caller, _ throws(GRPCStatusError) -> UnaryAnswer<[UInt8]> in
            let id = try caseID(request.caseID)
            let timeout = try waitTimeout(request.timeout)
            if let known = try known(id, to: caller) { return .reply(known) }
            return .async { () throws(GRPCStatusError) in
                try await wait(for: id, timeout, by: caller)
            }
        }
        server.unary(ReportServiceMethods.batchGetReports, admitting: admit(.read)) {
            request, caller, _ throws(GRPCStatusError) -> UnaryAnswer<[UInt8]> in
            let ids = try caseIDs(request.caseIds)
            return .async { () throws(GRPCStatusError) in try await get(ids, for: caller) }
        }
        server.unary(ReportServiceMethods.cancelReport, admitting: admit(.cancel)) {
            request, caller, _ throws(GRPCStatusError) -> UnaryAnswer<[UInt8]> in
            let id = try caseID(request.caseID)
            if let known = try known(id, to: caller) { return .reply(known) }
            return .async { () throws(GRPCStatusError) in try await cancel(id, for: caller) }
        }
        server.unary(ReportServiceMethods.refreshReport, admitting: admit(.create)) {
            request, caller, _ throws(GRPCStatusError) -> UnaryAnswer<RefreshReportResponse> in
            let id = try caseID(request.caseID)
            return .async { () throws(GRPCStatusError) in try await refresh(id, for: caller) }
        }
        server.unary(ReportServiceMethods.listReports, admitting: admit(.read)) {
            request, caller, _ throws(GRPCStatusError) -> UnaryAnswer<ListReportsResponse> in
            let wanted = try caller?.listing(request) ?? request
            return .async { () throws(GRPCStatusError) in try await page(wanted) }
        }
    }

    /// Says who calls, or refuses him.
    private func admit(
        _ permission: Permission
    ) -> @Sendable (borrowing CallContext) throws(GRPCStatusError) -> Caller? {
        { [access] context throws(GRPCStatusError) in
            try access.caller(context, permission: permission)
        }
    }

    // MARK: CreateReport

    func create(
        _ wanted: ReportRequest, for caller: Caller?, _ trace: TraceContext?
    ) async throws(GRPCStatusError) -> CreateReportResponse {
        let request = try caller?.requesting(wanted) ?? wanted
        do {
            // A repeat of a case that did not succeed would open it again.
            if let caller, !caller.role.seesAllCases, let id = UUID(request.caseID),
                try await answers.answer(id, fresh: true).isHidden(from: caller)
            {
                throw GRPCStatusError.caseIDTaken
            }
            // By the store's clock it is decided whether a deadline has passed already.
            let now = request.deadline == nil ? clock.timestamp : await answers.storeTime()
            var record = Record(
                payload: try request.serializedBytes()[...],
                headers: [Header("content-type", "application/x-protobuf")],
                timestamp: now, origin: Origin(source: source, offset: 0))
            if let trace { record.headers.append(trace.header) }
            switch try await port.submit(record) {
            case .rejected(let rejection): throw GRPCStatusError(rejection)
            case .accepted: return try await accepted(request, for: caller)
            }
        } catch {
            throw GRPCStatusError(converting: error)
        }
    }

    /// The request is durable whatever happens to the look at its state.
    ///
    /// - Throws: ALREADY_EXISTS for a repeat of somebody else's, of which nothing is told.
    private func accepted(
        _ request: ReportRequest, for caller: Caller?
    ) async throws -> CreateReportResponse {
        var response = CreateReportResponse()
        response.caseID = UUID(request.caseID)?.description ?? request.caseID
        guard let id = UUID(request.caseID) else { return response }
        let answer = try? await answers.answer(id, fresh: true)
        if let answer, answer.isHidden(from: caller) {
            throw GRPCStatusError.caseIDTaken
        }
        switch answer {
        case .open(let status, let revision, _)?:
            response.status = status
            response.revision = Int32(clamping: revision)
        case .final(let encoded)?:
            let known = try? GetReportResponse(serializedBytes: encoded.span)
            response.status = known?.status ?? .done
            response.revision = known?.revision ?? 0
        case .unknown?, nil:
            response.status = .with {
                $0.state = .pending
                $0.message = "Report is not done! Report status is Pending"
                $0.pollAfter = Google_Protobuf_Duration(PollSchedule.shortest)
            }
        }
        return response
    }

    // MARK: RefreshReport and ListReports

    private func refresh(
        _ id: UUID, for caller: Caller?
    ) async throws(GRPCStatusError) -> RefreshReportResponse {
        do {
            try await refuseOthers(id, of: caller)
            guard let known = try await answers.refresh(id).response(of: id) else {
                throw GRPCStatusError.unknownCase(id)
            }
            return .with {
                $0.caseID = known.caseID
                $0.status = known.status ?? .done
                $0.revision = known.revision
            }
        } catch {
            throw GRPCStatusError(converting: error)
        }
    }

    private func page(
        _ request: ListReportsRequest
    ) async throws(GRPCStatusError) -> ListReportsResponse {
        do {
            return try await list?.page(request) ?? ListReportsResponse()
        } catch {
            throw GRPCStatusError(converting: error)
        }
    }

    // MARK: GetReport, BatchGetReports, WaitReport and CancelReport

    /// What memory has for the caller.
    private func known(_ id: UUID, to caller: Caller?) throws(GRPCStatusError) -> [UInt8]? {
        guard let known = answers.inMemory(id) else { return nil }
        if CaseAnswers.Answer.final(known).isHidden(from: caller) { throw .unknownCase(id) }
        return Array(known)
    }

    /// Before somebody's case is changed.
    private func refuseOthers(_ id: UUID, of caller: Caller?) async throws {
        guard let caller, !caller.role.seesAllCases else { return }
        let answer = try await answers.answer(id, fresh: true)
        if answer.isHidden(from: caller) { throw GRPCStatusError.unknownCase(id) }
    }

    private func get(
        _ id: UUID, for caller: Caller?
    ) async throws(GRPCStatusError) -> [UInt8] {
        do {
            return try encoded(try await answers.answer(id).seen(by: caller), of: id)
        } catch {
            throw GRPCStatusError(converting: error)
        }
    }

    private func get(
        _ ids: [UUID], for caller: Caller?
    ) async throws(GRPCStatusError) -> [UInt8] {
        do {
            let found = try await withThrowingTaskGroup(
                of: (Int, CaseAnswers.Answer).self
            ) { group in
                for (place, id) in ids.enumerated() {
                    group.addTask { (place, try await answers.answer(id).seen(by: caller)) }
                }
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            var response = BatchGetReportsResponse()
            for (place, id) in ids.enumerated() {
                if let answer = found[place], let known = try answer.response(of: id) {
                    response.reports.append(known)
                } else {
                    response.unknownCaseIds.append(id.description)
                }
            }
            return try response.serializedBytes()
        } catch {
            throw GRPCStatusError(converting: error)
        }
    }

    private func cancel(
        _ id: UUID, for caller: Caller?
    ) async throws(GRPCStatusError) -> [UInt8] {
        do {
            try await refuseOthers(id, of: caller)
            return try encoded(try await answers.cancel(id), of: id)
        } catch {
            throw GRPCStatusError(converting: error)
        }
    }

    /// The responses of all three have the same fields, so the same bytes.
    private func encoded(_ answer: CaseAnswers.Answer, of id: UUID) throws -> [UInt8] {
        if case .final(let bytes) = answer { return Array(bytes) }
        guard let response = try answer.response(of: id) else {
            throw GRPCStatusError.unknownCase(id)
        }
        return try response.serializedBytes()
    }

    private func wait(
        for id: UUID, _ timeout: Duration, by caller: Caller?
    ) async throws(GRPCStatusError) -> [UInt8] {
        let deadline = clock.now.advanced(by: timeout)
        do {
            while true {
                let answer = try await answers.answer(id).seen(by: caller)
                guard case .open = answer, clock.now < deadline else {
                    return try encoded(answer, of: id)
                }
                do {
                    if let waiting {
                        try await waiting.wait(for: id, until: deadline)
                    } else {
                        try await clock.sleep(until: deadline)
                    }
                } catch is CancellationError {
                    // The server stops or reloads, or the caller has gone.
                    return try encoded(answer, of: id)
                }
            }
        } catch {
            throw GRPCStatusError(converting: error)
        }
    }

    // MARK: Arguments

    private func caseID(_ text: String) throws(GRPCStatusError) -> UUID {
        if let id = UUID(text) { return id }
        throw .badRequest([
            FieldViolation(
                field: "case_id",
                description: text.isEmpty ? "is missing" : "is not a UUID: \"\(text.prefix(64))\"")
        ])
    }

    private func checkCount(_ count: Int, _ field: String) throws(GRPCStatusError) {
        if (1...Self.mostCases).contains(count) { return }
        throw .badRequest([
            FieldViolation(
                field: field,
                description: count == 0
                    ? "is empty" : "has \(count); at most \(Self.mostCases) go at once")
        ])
    }

    private func caseIDs(_ texts: [String]) throws(GRPCStatusError) -> [UUID] {
        try checkCount(texts.count, "case_ids")
        var ids: [UUID] = []
        var seen: Set<UUID> = []
        var violations: [FieldViolation] = []
        for (place, text) in texts.enumerated() {
            guard let id = UUID(text) else {
                violations.append(
                    FieldViolation(
                        field: "case_ids[\(place)]",
                        description: "is not a UUID: \"\(text.prefix(64))\""))
                if violations.count == Self.mostViolations { break }
                continue
            }
            if seen.insert(id).inserted { ids.append(id) }
        }
        if !violations.isEmpty { throw .badRequest(violations) }
        return ids
    }

    private func waitTimeout(
        _ given: Google_Protobuf_Duration?
    ) throws(GRPCStatusError) -> Duration {
        guard let given else { return Self.longestWait }
        guard given.isValid, given.duration > .zero, given.duration <= Self.longestWait else {
            throw .badRequest([
                FieldViolation(field: "timeout", description: "must be above 0s, at most 60s")
            ])
        }
        return given.duration
    }
}

extension CaseAnswers.Answer {
    /// `nil` where there is no such case.
    fileprivate func response(of id: UUID) throws -> GetReportResponse? {
        switch self {
        case .final(let bytes): try GetReportResponse(serializedBytes: bytes)
        case .open(let status, let revision, let requester):
            .with {
                $0.caseID = id.description
                $0.requester = requester ?? ""
                $0.revision = Int32(clamping: revision)
                $0.result = .status(status)
            }
        case .unknown: nil
        }
    }
}

extension TraceContext {
    /// That of a call's metadata.
    fileprivate init?(of call: borrowing CallContext) {
        guard let value = call.metadataBytes(Self.headerName) else { return nil }
        self.init(value[...])
    }
}

extension GRPCStatusError {
    fileprivate static var caseIDTaken: GRPCStatusError {
        GRPCStatusError(
            .alreadyExists, "case_id is that of another request: send it under a new one",
            because: .conflict)
    }

    fileprivate static func unknownCase(_ id: UUID) -> GRPCStatusError {
        GRPCStatusError(
            .notFound, "there is no case \(id); it may have been deleted after its retention",
            because: .unknownCase)
    }
}

extension GetReportResponse {
    var status: ReportStatus? {
        if case .status(let status)? = result { status } else { nil }
    }
}

extension ReportStatus {
    static var done: ReportStatus {
        .with {
            $0.state = .succeeded
            $0.message = "Report is done"
        }
    }
}
