public import ConfigurationDiagnostics
public import ConfigurationFields
public import PipelineCore

/// `generate`: answers a batch in one go.
public struct GenerateStage: GeneratingStage {
    public static let type = "generate"
    public static let role = StageRole.worker
    public static let summary = "Answers every case of a batch in one go."
    public static var codes: [Diagnostic.Code] {
        [.unknownGenerator, .invalidGenerator, .missingStore]
    }
    public static let guarantee = """
        The outcomes of a batch are written in one transaction under the batch's fencing token, \
        before anything is announced. Only what the generator says fails cases; a batch that keeps \
        failing is split until the poison cases stand alone.
        """

    public let generator: String
    private let store: ResourceName?
    private let timeout: Duration
    public let maxRunning: Int?

    public init(_ field: Fields) {
        generator = field("generator", "What makes the answers.", example: "conversion")
        store = field.optional("store", "The store that it reads.", example: "store")
        timeout = field(
            "timeout", "A run that takes longer is given up and tried again.",
            default: .seconds(300), in: .seconds(1) ... .seconds(86_400))
        maxRunning = field.optional(
            "max_running",
            "Most runs at a time, over all processes; as many as there are workers without. Behind an accumulate with a store.",
            unit: "runs", example: 2, in: 1...10_000)
    }

    public func contract(in catalogue: Catalogue) -> StageContract {
        var contract = StageContract { input in
            switch input {
            case .batches?, .requests?: .yields(.outcomes)
            case nil: .refuses("a generate stands behind an accumulate")
            case let input?: .refuses("a generate answers batches of requests, not \(input)")
            }
        }
        contract.longestWait = { [timeout] _ in timeout }
        contract.retryBudget = timeout
        if let use = use(in: catalogue) { contract.uses = [use] }
        if let registration = catalogue.generator(generator) {
            if let problem = registration.check(generator) {
                contract.objections.append(
                    .init(field: "generator", code: .invalidGenerator, problem))
            } else if registration.needsStore, store == nil {
                contract.objections.append(
                    .init(
                        field: "", code: .missingStore,
                        "the generator \"\(generator)\" reads a \"store\", and none is named",
                        hint: "add \"store\": the name of a resource"))
            }
        } else {
            let names = catalogue.generators.map(\.name)
            contract.objections.append(
                .init(
                    field: "generator", code: .unknownGenerator,
                    "there is no generator \"\(generator)\"",
                    hint: Suggestion.hint(for: generator, among: names)))
        }
        return contract
    }

    /// A generator that can be looked at is elsewhere, and so is what it reads.
    private func use(in catalogue: Catalogue) -> ResourceUse? {
        let isElsewhere = catalogue.generator(generator)?.inspect != nil
        return store.map {
            ResourceUse("store", $0, .answersFrom(generator: isElsewhere ? nil : generator))
        }
    }

    public func build(_ context: StageContext) throws -> StageInstance {
        guard let registration = context.catalogue.generator(generator) else {
            throw PipelineError.fatal(
                .unknownGenerator,
                "stage \(context.stage): there is no generator \"\(generator)\"")
        }
        let resource = try use(in: context.catalogue).map {
            try context.resource(for: $0, as: (any Resource).self)
        }
        var context = context
        context.timeout = timeout
        let made = try registration.make(generator, resource, context)
        return .worker(
            TimedGenerator(
                inner: made, timeout: timeout, maxRunning: maxRunning, clock: context.clock))
    }
}

/// Gives up a run that takes too long.
struct TimedGenerator: Generator {
    let inner: any Generator
    let timeout: Duration
    var maxRunning: Int?
    let clock: PipelineClock

    func probe() async throws { try await inner.probe() }
    var backends: [Backend] { inner.backends }

    var longestRun: Duration { timeout }

    func generate(_ batch: Batch) async throws -> GeneratedBatch {
        try await withThrowingTaskGroup(of: GeneratedBatch?.self) { group in
            group.addTask { try await inner.generate(batch) }
            group.addTask {
                do { try await clock.sleep(for: timeout) } catch is CancellationError {}
                return nil
            }
            let first = try await group.next() ?? nil
            group.cancelAll()
            if let first { return first }
            // It may have finished together with the time-out: then the answer counts.
            if case .success(let late?)? = await group.nextResult() { return late }
            try Task.checkCancellation()
            throw PipelineError.retryable(
                .generationTimeout, "the generator did not answer within \(timeout)")
        }
    }
}

extension Diagnostic.Code {
    /// A stage names a generator that is not in the catalogue.
    public static let unknownGenerator = Self(
        "unknown-generator", "There is no generator of this name.",
        """
        A generator is `conversion`, or the address of a process that serves one: \
        `grpc://host:port[,host:port…]`. `penstock stages` lists those that this program has.
        """,
        example: .file(at: "stages[3].generator", #""convesrion""#))

    /// A generator is there, but can't be used as it is written.
    public static let invalidGenerator = Self(
        "invalid-generator", "The generator can't be used as it is written.",
        """
        The name before the colon is a generator's, but what follows is not what it takes: an \
        address without a port, an address for a generator that has none. Nothing was connected \
        to.
        """,
        example: .file(at: "stages[3].generator", #""grpc://generator""#))
}
