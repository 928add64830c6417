internal import Concurrency
public import PipelineCore
internal import Synchronization

/// Events of one check, counted one by one, and the batches that ask for them.
final class GeneratorFixture: Sendable {
    private static let hour: Int64 = 3_600_000_000
    /// 2026-10-30T00:00:00Z: a day, and a month, begin within the next days.
    private static let start: Int64 = 1_793_318_400_000_000
    private static let span = 3 * 24 * hour

    let subject: GeneratorConformance.Subject
    private let random = RandomSource(seed: 20_261_030)
    let products: [String]
    private let checkouts: [String?] = [nil, "web", "käuf\"er's"]
    private let events = Mutex<[GeneratorEvent]>([])

    init(_ subject: GeneratorConformance.Subject) {
        self.subject = subject
        // Products of its own, so that checks can share a store.
        let own = RandomSource().uuid()
        products = ["boots", "hat's \"best\"", "g\u{F6}tter", "go\u{308}tter"].map {
            "\(own) \($0)"
        }
    }

    /// Stores events, and remembers them.
    func add(_ count: Int) async throws {
        let new = (0..<count).map { _ in
            GeneratorEvent(
                isPayment: random.below(4) == 0, product: products[random.below(products.count)],
                checkout: checkouts[random.below(checkouts.count)], time: anyTime(),
                count: Int32(random.below(4) == 0 ? 1 + random.below(100) : 1))
        }
        try await subject.store(new)
        events.withLock { $0 += new }
    }

    /// A question whose ends lie anywhere, on an event, or a microsecond beside one.
    func question() -> GeneratorQuestion {
        let ends = [end(), end()].sorted()
        return GeneratorQuestion(
            product: products[random.below(products.count)],
            checkout: checkouts[random.below(checkouts.count)], start: ends[0],
            end: ends[1] > ends[0] ? ends[1] : ends[0].advanced(by: .hours(1)))
    }

    private func end() -> Timestamp {
        events.withLock { events in
            if events.isEmpty || random.below(2) == 0 { return anyTime() }
            return events[random.below(events.count)].time
                .advanced(by: .microseconds(random.below(3) - 1))
        }
    }

    private func anyTime() -> Timestamp {
        let offset = Int64(random.below(Int(Self.span)))
        let isAtHour = random.below(3) == 0
        return Timestamp(
            microseconds: Self.start + (isAtHour ? offset / Self.hour * Self.hour : offset))
    }

    func batch(_ questions: [GeneratorQuestion]) throws -> Batch {
        var cases: [Case] = []
        for (number, question) in questions.enumerated() {
            let id = random.uuid()
            cases.append(
                Case(
                    number: Int64(number), id: id, deadline: Timestamp(microseconds: Self.start),
                    parameters: try subject.encode(id, question)))
        }
        return batch(cases)
    }

    func batch(_ cases: [Case]) -> Batch {
        Batch(
            number: 7, token: 1, attempts: 1, closedBy: "count",
            sealedAt: Timestamp(microseconds: Self.start), cases: cases)
    }

    /// Runs the generator; the number of results is checked.
    func generate(_ batch: Batch) async throws -> GeneratedBatch {
        let generated = try await subject.generator.generate(batch)
        try requireEqual(generated.results.count, batch.cases.count, "results for the cases")
        return generated
    }

    /// Requires that a result is the report which a count of single events gives.
    func require(
        _ result: CaseResult, answers question: GeneratorQuestion, of item: Case,
        in batch: GeneratedBatch
    ) throws {
        guard case .report(let bytes) = result else {
            throw ConformanceFailure("no report for \(question): \(result)")
        }
        let found = try subject.decode(bytes)
        try requireEqual(found, count(question, item.id, batch.dataAsOf), "the report")
    }

    private func count(
        _ question: GeneratorQuestion, _ id: UUID, _ dataAsOf: Timestamp
    ) -> GeneratorAnswer {
        var answer = GeneratorAnswer(
            caseID: id, question: question, views: 0, payments: 0, ratio: nil, dataAsOf: dataAsOf)
        events.withLock { events in
            for event in events where event.matches(question) {
                if event.isPayment {
                    answer.payments += Int64(event.count)
                } else {
                    answer.views += Int64(event.count)
                }
            }
        }
        if answer.payments > 0 { answer.ratio = Double(answer.views) / Double(answer.payments) }
        return answer
    }
}

extension GeneratorEvent {
    /// Texts are compared by their bytes.
    fileprivate func matches(_ question: GeneratorQuestion) -> Bool {
        product.utf8.elementsEqual(question.product.utf8)
            && (question.checkout == nil || checkout == question.checkout)
            && time >= question.start && time < question.end
    }
}

/// Something that happened, for generators of conversion reports to count.
public struct GeneratorEvent: Sendable {
    public var isPayment: Bool
    public var product: String
    public var checkout: String?
    public var time: Timestamp
    /// How many events it stands for.
    public var count: Int32
}

/// What one case asks: views and payments of a half-open period.
public struct GeneratorQuestion: Sendable, Hashable {
    public var product: String
    /// `nil`: all checkouts.
    public var checkout: String?
    public var start: Timestamp
    public var end: Timestamp

    public init(product: String, checkout: String?, start: Timestamp, end: Timestamp) {
        self.product = product
        self.checkout = checkout
        self.start = start
        self.end = end
    }
}

/// What an encoded report says.
public struct GeneratorAnswer: Sendable, Hashable {
    public var caseID: UUID
    public var question: GeneratorQuestion
    public var views: Int64
    public var payments: Int64
    public var ratio: Double?
    public var dataAsOf: Timestamp

    public init(
        caseID: UUID, question: GeneratorQuestion, views: Int64, payments: Int64, ratio: Double?,
        dataAsOf: Timestamp
    ) {
        self.caseID = caseID
        self.question = question
        self.views = views
        self.payments = payments
        self.ratio = ratio
        self.dataAsOf = dataAsOf
    }
}

/// Where a generator under test passes before it reads its store: lets a check hold a run, or fail
/// it.
public final class GenerationGate: Sendable {
    /// A closed gate, and what happened at it.
    struct Hold: Sendable {
        /// Set when a run has come.
        let reached = AsyncEvent()
        /// Set when a run that waited was cancelled.
        let cancelled = AsyncEvent()
        fileprivate let released = AsyncEvent()

        fileprivate func release() { released.set() }
    }

    private struct State {
        var holds: [String: Hold] = [:]
        var refusals: [String: PipelineError] = [:]
    }
    private let state = Mutex(State())

    public init() {}

    /// Waits while the gate is closed for one of the products; throws what a check has set for one.
    ///
    /// To be called by the store of the generator under test, once for each run.
    ///
    /// - Parameter products: those that the run asks for.
    public func pass(_ products: [String]) async throws {
        let (hold, refusals) = state.withLock { state in
            (products.compactMap { state.holds[$0] }.first, state.refusals)
        }
        if let hold {
            hold.reached.set()
            do { try await hold.released.wait() } catch {
                hold.cancelled.set()
                throw error
            }
        }
        for product in products {
            if let refusal = refusals[product] { throw refusal }
        }
    }

    /// Holds every run that asks for the product.
    func close(for product: String) -> Hold {
        let hold = Hold()
        state.withLock { $0.holds[product] = hold }
        return hold
    }

    /// Lets those runs pass again.
    func open(for product: String) {
        state.withLock { $0.holds.removeValue(forKey: product) }?.release()
    }

    /// Fails runs that ask for the product; `nil` lets them pass again.
    func refuse(_ product: String, with error: PipelineError?) {
        state.withLock { $0.refusals[product] = error }
    }
}
