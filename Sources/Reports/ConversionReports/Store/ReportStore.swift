public import PipelineCore
internal import Protobuf
internal import ReportMessages

/// Where events are kept, counted once, and summed up for reports.
///
/// A report's counts are what the store's rollups, the deltas not yet folded into them and the
/// events at the period's edges add up to; each event is in exactly one of them for any reader,
/// since each statement or transaction here moves it in one step.
public protocol ReportStore: PositionStore {
    /// The same store, whose positions are those of a stage: other stages and other pipelines have
    /// their own.
    func owned(byPipeline pipeline: String, stage: String) -> any ReportStore

    /// The same, which refuses to begin anew in a log that another stage has stored, unless that is
    /// among `owners`.
    func owned(
        byPipeline pipeline: String, stage: String, beside owners: [StateOwner]
    ) -> any ReportStore

    /// Creates or updates the tables. Safe to run again, and by two processes at once.
    func migrate() async throws

    /// Stores events, their hour deltas and the advance of the positions they were read at: all or
    /// nothing.
    ///
    /// Exactly once by positions: a chunk whose positions have been advanced already (an answer was
    /// lost on its way) succeeds and writes nothing. Without advances (sample data) every call
    /// appends.
    ///
    /// - Throws: ``PipelineError`` `fenced` `position-moved` when another process has taken over
    ///   one of the inputs; `retryable` while the store can't be reached. Nothing has been written,
    ///   or (if an answer was lost) everything.
    func append(_ events: EventBatch, advances: [PositionAdvance]) async throws

    /// Stores the events and takes them back again: says whether the store takes them.
    ///
    /// - Throws: ``PipelineError`` `permanent` when it refuses something in them for what it is.
    func tryAppending(_ events: EventBatch) async throws

    /// Moves up to `limit` deltas into the rollups. One folder at a time: others leave at once.
    ///
    /// Reports do not depend on it; it keeps the deltas few.
    func fold(limit: Int) async throws -> FoldResult

    /// How many deltas are not folded, counted up to `limit`.
    func unfolded(limit: Int) async throws -> Int

    /// Answers all queries in one statement over one snapshot; equal ones are computed once.
    func read(_ queries: [ConversionQuery]) async throws -> ConversionReading

    /// Closes connections of the store's own; those it was given stay open.
    func close() async
}

extension ReportStore {
    public func close() async {}

    /// Takes no heed of others.
    public func owned(
        byPipeline pipeline: String, stage: String, beside owners: [StateOwner]
    ) -> any ReportStore {
        owned(byPipeline: pipeline, stage: stage)
    }
}

/// What became of a call to fold.
public enum FoldResult: Sendable, Hashable {
    /// So many deltas were moved; fewer than asked for: there are no more.
    case folded(Int)
    /// Somebody else is folding.
    case busy
}

/// Rolls a transaction back that was made to be.
struct TakenBack: Error {}

/// What one report asks a store: a product, perhaps one of its checkouts, and a half-open period.
public struct ConversionQuery: Sendable {
    public var productID: String
    /// `nil`: all checkouts, and events without one.
    public var checkoutID: String?
    /// First instant of the period.
    public var start: Timestamp
    /// First instant after the period.
    public var end: Timestamp

    public init(productID: String, checkoutID: String? = nil, start: Timestamp, end: Timestamp) {
        self.productID = productID
        self.checkoutID = checkoutID
        self.start = start
        self.end = end
    }
}

/// What happened in a period.
public struct ConversionCounts: Sendable, Hashable {
    public var views: Int64
    public var payments: Int64

    public init(views: Int64, payments: Int64) {
        self.views = views
        self.payments = payments
    }

    /// Views divided by payments; `nil` without payments.
    public var ratio: Double? {
        payments > 0 ? Double(views) / Double(payments) : nil
    }
}

/// Answers of a store, all from one snapshot.
public struct ConversionReading: Sendable {
    /// One for each query, in their order.
    public var counts: [ConversionCounts]
    /// Everything stored by this instant of the store's clock is counted.
    public var dataAsOf: Timestamp
    /// Rows of rollups, deltas and events that were summed up.
    public var rowsRead: Int64

    public init(counts: [ConversionCounts], dataAsOf: Timestamp, rowsRead: Int64) {
        self.counts = counts
        self.dataAsOf = dataAsOf
        self.rowsRead = rowsRead
    }
}

extension PipelineError {
    /// Another process has read on from this input, or nobody has registered it.
    static func positionMoved(_ advance: PositionAdvance, stored: Int64?) -> PipelineError {
        let place = "\(advance.source)[\(advance.partition)]"
        guard let stored else {
            return .fenced(.positionMoved, "no position of \(place) is stored")
        }
        return .fenced(
            .positionMoved,
            "the position of \(place) is \(stored), not \(advance.expected): another process reads"
        )
    }
}

/// Whose positions are meant.
struct PositionOwner: Sendable {
    var pipeline: String
    var stage: String
    /// The stages of the files at hand, the owner among them; empty where that plays no part.
    var atHand: [StateOwner] = []

    /// A stage that begins anew where another one has stored the same log would count it twice: it
    /// is the same one under another name, unless both are at hand.
    ///
    /// - Parameter found: the owners that have positions in the log.
    /// - Throws: `fatal` `state-unowned`.
    func check(_ found: [StateName], of log: LogName) throws {
        let objection = StateOwnership.objection(
            toStoring: log, as: StateName(pipeline: pipeline, part: stage), atHand: atHand,
            storedBy: found)
        guard let objection else { return }
        throw PipelineError.fatal(.stateUnowned, "\(objection.problem); \(objection.remedy)")
    }
}

extension StateName {
    func isAtHand(among owners: [StateOwner]) -> Bool {
        owners.contains { $0.pipeline == pipeline && $0.stage == part }
    }

    /// What it means to forget where a stage has read events up to.
    func forgotten(partitions: Int) -> String {
        "\(self): where it has read events up to (\(partitions) partition(s)): those that are"
            + " stored stay, and whatever reads them again counts them once more"
    }
}

extension PipelineError {
    static func positionsOwned(_ name: StateName) -> PipelineError {
        .fatal(
            .stateOwned,
            "\(name) has positions of its own in the event store, which can't be merged with"
                + " another's: events would count twice, or not at all")
    }
}

/// The generator `conversion`: answers a batch by one read of a report store.
///
/// All reports of a batch come from one snapshot; equal definitions are computed once. A case whose
/// parameters can't be read fails alone, with `invalid-parameters`; an error of the store fails
/// none: it is thrown.
public struct ConversionGenerator: Generator {
    /// The name of the generator in pipeline files.
    public static let name = "conversion"

    private let store: any ReportStore

    public init(store: any ReportStore) { self.store = store }

    public func generate(_ batch: Batch) async throws -> GeneratedBatch {
        let wanted = batch.cases.map { readRequest(of: $0) }
        let queries = wanted.compactMap { try? $0.get().query }
        let reading = try await store.read(queries)
        var buffer: [UInt8] = []
        buffer.reserveCapacity(batch.cases.count * 192)
        var counts = reading.counts[...]
        let ranges: [Result<Range<Int>, Refusal>] = wanted.map { request in
            request.map { request in
                let start = buffer.count
                Report(request, counts.removeFirst(), reading.dataAsOf).write(to: &buffer)
                return start..<buffer.count
            }
        }
        let results: [CaseResult] = ranges.map { range in
            switch range {
            case .success(let range): .report(buffer[range])
            case .failure(let refusal): .failure(code: refusal.code, reason: refusal.reason)
            }
        }
        return GeneratedBatch(
            results: results, dataAsOf: reading.dataAsOf, rowsRead: reading.rowsRead)
    }

    private func readRequest(of item: Case) -> Result<CheckedRequest, Refusal> {
        do throws(Refusal) {
            let request: ReportRequest
            do {
                request = try ReportRequest(serializedBytes: item.parameters)
            } catch {
                throw .unreadable(error)
            }
            var checked = try request.checked(maximumSpan: .max)
            checked.caseID = item.id
            return .success(checked)
        } catch {
            return .failure(Refusal(code: .invalidParameters, reason: error.reason))
        }
    }
}

extension Report {
    fileprivate init(_ request: CheckedRequest, _ counts: ConversionCounts, _ dataAsOf: Timestamp) {
        self.init()
        caseID = request.caseID.description
        productID = request.query.productID
        checkoutID = request.query.checkoutID
        var period = Period()
        period.startTime = Google_Protobuf_Timestamp(request.query.start)
        period.endTime = Google_Protobuf_Timestamp(request.query.end)
        self.period = period
        conversionRatio = counts.ratio
        paymentsCount = counts.payments
        viewsCount = counts.views
        self.dataAsOf = Google_Protobuf_Timestamp(dataAsOf)
    }
}
