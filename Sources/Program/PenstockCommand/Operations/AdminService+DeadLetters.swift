internal import AdminMessages
internal import CommandLineInterface
internal import GRPCTransport
internal import PipelineCore
internal import Protobuf

/// The calls about dead letters.
extension AdminService {
    static let noLetter = "there is no letter"
    static let mostLetters = 1_000
    private static let usualLetters = 100
    private static let mostIDs = 1_000

    func addDeadLetters() {
        add(AdminAdminServiceMethods.listDeadLetters) { request, letters in
            let limit = try Self.bounded(request.pageSize, "page_size", Self.mostLetters)
            var filter = DeadLetterFilter(request.filter ?? AdminDeadLetterFilter())
            filter.includesSettled = request.withSettled
            let page = try await letters.page(
                of: try request.place.ofLetters, filter,
                after: request.pageToken.isEmpty ? nil : request.pageToken,
                limit: limit == 0 ? Self.usualLetters : limit)
            return .with {
                $0.deadLetters = page.letters.map { AdminDeadLetter($0) }
                $0.nextPageToken = page.next ?? ""
                $0.totalCount = page.total.map { Int64($0) }
            }
        }
        add(AdminAdminServiceMethods.getDeadLetter) { request, letters in
            guard let found = try await letters.letter(DeadLetterID(request.id)) else {
                throw GRPCStatusError(
                    .notFound, "\(Self.noLetter) \(request.id.prefix(300)), or no more")
            }
            return .with { $0.deadLetter = AdminDeadLetter(found) }
        }
        add(AdminAdminServiceMethods.replayDeadLetters) { request, letters in
            let result = try await letters.replay(
                try Self.choice(request.ids, request.filter))
            return .with {
                $0.replayedCount = Int64(result.count)
                $0.stuckCount = Int64(result.stuckCount)
                $0.problems = result.problems
            }
        }
        add(AdminAdminServiceMethods.dropDeadLetters) { request, letters in
            let count = try await letters.drop(try Self.choice(request.ids, request.filter))
            return .with { $0.droppedCount = Int64(count) }
        }
    }

    private static func choice(
        _ ids: [String], _ filter: AdminDeadLetterFilter?
    ) throws -> ChosenLetters {
        guard ids.isEmpty != (filter == nil), ids.count <= mostIDs else {
            throw GRPCStatusError(
                .invalidArgument,
                "\(ids.count) ids\(filter == nil ? "" : " and a filter"): either 1 to \(mostIDs) ids, or a filter"
            )
        }
        if let filter { return .all(DeadLetterFilter(filter)) }
        return .ids(try ids.map { try DeadLetterID($0) })
    }

    /// Adds a method that works on the letters of the pipeline that its request names, on behalf of
    /// its caller. A process that stops does not wait for it: it is called again.
    private func add<Request: PipelineRequest, Response: Message>(
        _ method: MethodDescriptor<Request, Response>,
        _ body: @escaping @Sendable (Request, DeadLetterAccess) async throws -> Response
    ) {
        server.unary(method, atShutdown: .interrupt, admitting: admit) {
            [self] request, caller, _ throws(GRPCStatusError) -> UnaryAnswer<Response> in
            return .async { () throws(GRPCStatusError) in
                do {
                    let letters = try await DeadLetterAccess(
                        definition(request.pipeline), by: caller, catalogue: catalogue,
                        logger: logger)
                    do {
                        let response = try await body(request, letters)
                        await letters.close()
                        return response
                    } catch {
                        await letters.close()
                        throw error
                    }
                } catch {
                    throw GRPCStatusError(ofOperation: error)
                }
            }
        }
    }
}

/// A request that names a pipeline.
private protocol PipelineRequest: Message {
    var pipeline: String { get }
}
extension AdminListDeadLettersRequest: PipelineRequest {}
extension AdminGetDeadLetterRequest: PipelineRequest {}
extension AdminReplayDeadLettersRequest: PipelineRequest {}
extension AdminDropDeadLettersRequest: PipelineRequest {}

// MARK: Messages

extension AdminDeadLetterPlace {
    init(_ place: LetterPlace?) {
        self =
            switch place {
            case nil: .unspecified
            case .sink: .sink
            case .store: .store
            case .topic: .topic
            }
    }

    fileprivate var ofLetters: LetterPlace? {
        get throws {
            switch self {
            case .unspecified: nil
            case .sink: .sink
            case .store: .store
            case .topic: .topic
            default: throw GRPCStatusError(.invalidArgument, "place is none that is known")
            }
        }
    }
}

extension AdminDeadLetterFilter {
    init(_ filter: DeadLetterFilter) {
        self.init()
        stage = filter.stage ?? ""
        code = filter.code ?? ""
        keptFrom = filter.keptFrom.message
        keptBefore = filter.keptBefore.message
    }
}

extension DeadLetterFilter {
    fileprivate init(_ filter: AdminDeadLetterFilter) {
        self.init(
            stage: filter.stage.isEmpty ? nil : filter.stage,
            code: filter.code.isEmpty ? nil : filter.code, keptFrom: filter.keptFrom.timestamp,
            keptBefore: filter.keptBefore.timestamp)
    }
}

extension AdminDeadLetter {
    fileprivate init(_ entry: DeadLetterEntry) {
        self.init()
        id = "\(entry.id)"
        switch entry {
        case .outcome(let parked):
            place = .sink
            (stage, code, reason) = (parked.sink, parked.code.name, parked.reason)
            attempts = Int32(clamping: parked.attempts)
            keptAt = .init(parked.parkedAt)
            outcome = .with {
                $0.batch = parked.batch
                $0.caseID = parked.caseID.description
                $0.outcomeID = parked.outcomeID.description
                $0.revision = Int32(clamping: parked.revision)
                $0.isDue = parked.isDue
            }
        case .stored(let letter):
            place = .store
            set(letter.rejection)
            keptAt = letter.keptAt.message
            record = AdminDeadRecord(
                letter.rejection.record, resource: letter.resource,
                refusal: letter.refusal.message)
        case .topic(let letter):
            place = .topic
            if let rejection = letter.rejection { set(rejection) }
            keptAt = .init(letter.record.timestamp)
            isSettled = letter.isSettled
            record = AdminDeadRecord(
                letter.rejection?.record ?? letter.record, resource: letter.place.resource)
        }
    }

    private mutating func set(_ rejection: Rejection) {
        (stage, code, reason) = (rejection.stage, rejection.code.name, rejection.reason)
        attempts = Int32(clamping: rejection.attempts)
    }

    /// What the other side has; `nil` for what it can't have meant.
    var entry: DeadLetterEntry? {
        let code = ErrorCode(foreign: code)
        let keptAt = keptAt.timestamp
        guard let id = try? DeadLetterID(id) else { return nil }
        switch id {
        case .outcome(let sink, let id, _):
            guard let outcome, let outcomeID = UUID(outcome.outcomeID[...]) else { return nil }
            return .outcome(
                ParkedOutcome(
                    batch: outcome.batch, sink: sink, caseID: id, outcomeID: outcomeID,
                    revision: Int(outcome.revision), code: code, reason: reason,
                    attempts: Int(attempts), parkedAt: keptAt ?? .epoch, isDue: outcome.isDue))
        case .stored(let number):
            guard let record else { return nil }
            return .stored(
                StoredDeadLetter(
                    Rejection(
                        record.record, stage: stage, code: code, reason: reason,
                        attempts: Int(attempts)), resource: record.resource,
                    refusal: PipelineError(.deadLettersRefused, record.refusal), number: number,
                    keptAt: keptAt))
        case .topic(let place):
            guard let record else { return nil }
            let isForeign = stage.isEmpty && self.code.isEmpty
            return .topic(
                TopicLetter(
                    place: place, record: record.record,
                    rejection: isForeign
                        ? nil
                        : Rejection(
                            record.record, stage: stage, code: code, reason: reason,
                            attempts: Int(attempts)), isSettled: isSettled))
        }
    }
}

extension AdminDeadRecord {
    fileprivate init(_ record: Record, resource: String, refusal: String = "") {
        self.init()
        self.resource = resource
        self.refusal = refusal
        source = record.origin.source
        partition = record.origin.partition
        offset = record.origin.offset
        recordedAt = .init(record.timestamp)
        key = record.key.map { Array($0) }
        payload = record.isTombstone ? nil : Array(record.payload)
        headers = record.headers.map { header in
            .with {
                $0.name = header.name
                $0.value = header.value.map { Array($0) }
            }
        }
    }

    fileprivate var record: Record {
        Record(
            key: key.map { $0[...] }, payload: payload.map { $0[...] } ?? [],
            isTombstone: payload == nil,
            headers: headers.map { Header(name: $0.name, value: $0.value.map { $0[...] }) },
            timestamp: recordedAt.timestamp ?? .epoch,
            origin: Origin(source: source, partition: partition, offset: offset))
    }
}
