public import PipelineCore
public import Specification

/// `generate`: answers a batch in one go.
public struct GenerateStage: StagePlugin {
    public static let type = "generate"
    public static let role = StageRole.worker
    public static let summary = "Answers every case of a batch in one go."
    public static let guarantee = """
        The outcomes of a batch are written in one transaction under the batch's fencing token, before anything is \
        announced. Only what the generator says fails cases; a batch that keeps failing is split until the poison cases \
        stand alone.
        """

    let generator: String
    let store: ResourceName?
    let timeout: Duration

    public init(_ field: Fields) {
        generator = field("generator", "What makes the answers.", example: "conversion")
        store = field.optional("store", "The store that it reads.", example: "store")
        timeout = field(
            "timeout", "A run that takes longer is given up and tried again.",
            default: .seconds(300), in: .seconds(1) ... .seconds(86_400))
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
        contract.generator = generator
        if let store {
            contract.resources.append(.init(field: "store", name: store, kinds: [.store]))
            // A generator that can be looked at is elsewhere, and so is what it reads.
            if catalogue.generator(generator)?.inspect == nil {
                contract.needs = { [generator] _, _ in [.init(store, .generation(generator))] }
            }
        }
        if let registration = catalogue.generator(generator) {
            if let problem = registration.check(generator) {
                contract.objections.append(
                    .init(field: "generator", code: "invalid-generator", problem))
            }
        } else {
            let names = catalogue.generators.map(\.name)
            contract.objections.append(
                .init(
                    field: "generator", code: "unknown-generator",
                    "there is no generator \"\(generator)\"",
                    hint: Suggestion.hint(for: generator, among: names)))
        }
        return contract
    }

    public func build(_ context: StageContext) throws -> StageInstance {
        guard let registration = context.catalogue.generator(generator) else {
            throw PipelineError.fatal(
                "unknown-generator",
                "stage \(context.stage): there is no generator \"\(generator)\"")
        }
        let resource = try store.map { try context.resource($0, as: (any Resource).self) }
        var context = context
        context.timeout = timeout
        let made = try registration.make(generator, resource, context)
        return .worker(TimedGenerator(inner: made, timeout: timeout, clock: context.clock))
    }
}
