internal import Concurrency
public import PipelineCore

/// What every ``PipelineCore/Generator`` of conversion reports promises, wherever it runs.
///
/// ```swift
/// @Test(arguments: GeneratorConformance.checks)
/// func keepsThePromisesOfAGenerator(check: GeneratorConformance.Check) async throws {
///     try await check.run(subject)
/// }
/// ```
public enum GeneratorConformance {
    /// A generator under test, with what a check needs around it.
    public struct Subject: Sendable {
        public var generator: any Generator
        /// Passed by the generator's store before it reads.
        public var gate: GenerationGate
        /// Stores events where the generator finds them.
        public var store: @Sendable ([GeneratorEvent]) async throws -> Void
        /// Writes a case's canonical parameters.
        public var encode: @Sendable (UUID, GeneratorQuestion) throws -> Bytes
        /// Reads an encoded report.
        public var decode: @Sendable (Bytes) throws -> GeneratorAnswer

        public init(
            generator: any Generator, gate: GenerationGate,
            store: @escaping @Sendable ([GeneratorEvent]) async throws -> Void,
            encode: @escaping @Sendable (UUID, GeneratorQuestion) throws -> Bytes,
            decode: @escaping @Sendable (Bytes) throws -> GeneratorAnswer
        ) {
            self.generator = generator
            self.gate = gate
            self.store = store
            self.encode = encode
            self.decode = decode
        }
    }

    public typealias Check = ConformanceCheck<Subject>

    /// All of them. Each asks for products of its own; a gate must not be shared by two at once.
    public static let checks: [Check] = counting + failing + running

    /// Longer than anything takes that is not broken.
    private static let limit: Duration = .seconds(60)

    private static func check(
        _ name: String, _ body: @escaping @Sendable (GeneratorFixture) async throws -> Void
    ) -> Check {
        Check(name) { try await body(GeneratorFixture($0)) }
    }

    private static let counting: [Check] = [
        check("answers what a count of single events gives, from one snapshot") { fixture in
            for _ in 0..<3 {
                try await fixture.add(200)
                try await fixture.requireAnswers((0..<60).map { _ in fixture.question() })
            }
        },
        check("answers 512 cases in their order") { fixture in
            try await fixture.add(300)
            try await fixture.requireAnswers((0..<512).map { _ in fixture.question() })
        },
        check("answers an empty batch") { fixture in
            let generated = try await fixture.generate(fixture.batch([Case]()))
            try requireEqual(generated.results.count, 0, "results")
        },
        check("answers equal questions alike, each under its own case") { fixture in
            try await fixture.add(200)
            let few = (0..<4).map { _ in fixture.question() }
            let many = try await fixture.requireAnswers((0..<80).map { few[$0 * 7 % 4] })
            let once = try await fixture.requireAnswers(few)
            try requireEqual(many.rowsRead, once.rowsRead, "the rows read for equal questions")
        },
        check("answers a product that nobody knows with zeros and no ratio") { fixture in
            var question = fixture.question()
            question.product += " unknown"
            try await fixture.requireAnswers([question])
        },
        check("answers many batches at once, each with its own") { fixture in
            try await fixture.add(200)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for size in 1...8 {
                    let questions = (0..<size * 5).map { _ in fixture.question() }
                    group.addTask { try await fixture.requireAnswers(questions) }
                }
                try await group.waitForAll()
            }
        },
    ]

    private static let failing: [Check] = [
        check("fails a case that can't be read, and no other") { fixture in
            try await fixture.add(100)
            let questions = (0..<6).map { _ in fixture.question() }
            var batch = try fixture.batch(questions)
            batch.cases[1].parameters = [0xFF, 0xFF]
            batch.cases[4].parameters = []
            let generated = try await fixture.generate(batch)
            for index in batch.cases.indices where index != 1 && index != 4 {
                try fixture.require(
                    generated.results[index], answers: questions[index], of: batch.cases[index],
                    in: generated)
            }
            try generated.results[1].requireRefusal()
            try generated.results[4].requireRefusal()
        },
        check("fails a case that asks for what can't be, and says what is wrong") { fixture in
            var backwards = fixture.question()
            swap(&backwards.start, &backwards.end)
            var nameless = fixture.question()
            nameless.product = ""
            let generated = try await fixture.generate(fixture.batch([backwards, nameless]))
            try generated.results[0].requireRefusal(naming: "period.end_time")
            try generated.results[1].requireRefusal(naming: "product_id")
        },
        check("answers a batch of which nothing can be read") { fixture in
            var batch = try fixture.batch([fixture.question(), fixture.question()])
            for index in batch.cases.indices { batch.cases[index].parameters = [0x0A] }
            let generated = try await fixture.generate(batch)
            for result in generated.results { try result.requireRefusal() }
        },
        check("throws what may pass as retryable, and answers when it has passed") { fixture in
            try await fixture.add(50)
            let question = fixture.question()
            fixture.subject.gate.refuse(
                question.product, with: .retryable("store-away", "the store is away"))
            try await requireError(.retryable, "store-away") {
                _ = try await fixture.generate(fixture.batch([question]))
            }
            fixture.subject.gate.refuse(question.product, with: nil)
            try await fixture.requireAnswers([question])
        },
        check("throws for a poison case, which stands alone once the batch is split") { fixture in
            try await fixture.add(100)
            var questions = (0..<16).map { _ in fixture.question() }
            questions[11].product += " poison"
            fixture.subject.gate.refuse(
                questions[11].product, with: .permanent("overflow", "a number is too large"))
            let batch = try fixture.batch(questions)
            let poison = try await fixture.poison(in: batch.cases[...], questions[...])
            try requireEqual(poison, [batch.cases[11].id], "the poison cases")
        },
    ]

    private static let running: [Check] = [
        check("ends a run when its task is cancelled") { fixture in
            try await fixture.add(50)
            let question = fixture.question()
            let batch = try fixture.batch([question])
            let hold = fixture.subject.gate.close(for: question.product)
            try await within(limit, "the end of a cancelled run") {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { _ = try await fixture.generate(batch) }
                    try await hold.reached.wait()
                    group.cancelAll()
                    guard case .failure(let error)? = await group.nextResult() else {
                        throw ConformanceFailure("a cancelled run has answered")
                    }
                    try PipelineTesting.require(
                        error is CancellationError, "a cancelled run says so, not \(error)")
                }
                // Also where the work is done: it is not left to run on for nobody.
                try await hold.cancelled.wait()
            }
            fixture.subject.gate.open(for: question.product)
            try await fixture.requireAnswers([question])
        },
        check("answers others while a run takes long") { fixture in
            try await fixture.add(50)
            let slow = fixture.question()
            var quick = fixture.question()
            quick.product = fixture.products.first { $0 != slow.product } ?? ""
            let asked = [quick]
            let hold = fixture.subject.gate.close(for: slow.product)
            try await within(limit, "an answer beside a slow run") {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await fixture.requireAnswers([slow]) }
                    try await hold.reached.wait()
                    try await fixture.requireAnswers(asked)
                    fixture.subject.gate.open(for: slow.product)
                    try await group.waitForAll()
                }
            }
        },
    ]
}

extension GeneratorFixture {
    /// Asks, and requires the right report for each question, in their order.
    @discardableResult
    fileprivate func requireAnswers(_ questions: [GeneratorQuestion]) async throws -> GeneratedBatch
    {
        let batch = try batch(questions)
        let generated = try await generate(batch)
        for index in questions.indices {
            try require(
                generated.results[index], answers: questions[index], of: batch.cases[index],
                in: generated)
        }
        return generated
    }

    /// Generates as the runtime does: in halves, while the batch fails for good.
    ///
    /// - Returns: the cases that fail alone.
    fileprivate func poison(
        in cases: ArraySlice<Case>, _ questions: ArraySlice<GeneratorQuestion>
    ) async throws -> [UUID] {
        do {
            let generated = try await generate(batch(Array(cases)))
            for (offset, index) in cases.indices.enumerated() {
                try require(
                    generated.results[offset], answers: questions[index], of: cases[index],
                    in: generated)
            }
            return []
        } catch let error as PipelineError {
            try requireEqual(error.disposition, .permanent, "the disposition of \(error)")
            try requireEqual(error.code, "overflow", "the code of \(error)")
            if cases.count == 1 { return cases.map(\.id) }
            let middle = cases.startIndex + cases.count / 2
            let first = try await poison(in: cases[..<middle], questions[..<middle])
            return try await first + poison(in: cases[middle...], questions[middle...])
        }
    }
}

extension CaseResult {
    fileprivate func requireRefusal(naming field: String = "") throws {
        guard case .failure(let code, let reason) = self else {
            throw ConformanceFailure("a case that can't be answered has a report")
        }
        try requireEqual(code, "invalid-parameters", "the code of \"\(reason)\"")
        try require(!reason.isEmpty, "a refusal says why")
        try require(field.isEmpty || reason.contains(field), "\"\(reason)\" names \(field)")
    }
}
