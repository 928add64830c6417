extension Fields {
    /// An argument of a command, given by standing there.
    ///
    /// - Parameters:
    ///   - name: What help calls it, in capitals: `FILE`.
    public func argument<Value: FieldValue>(
        _ name: String, _ documentation: String, example: Value,
        completion: Field.Completion = .nothing, check: @escaping (Value) -> String? = { _ in nil }
    ) -> Value {
        required(
            Declaration(
                name: name, documentation: documentation, example: example, isRequired: true,
                role: .argument, completion: completion, objection: Self.refusal(check)))
    }

    /// An argument of a command that may be left out.
    public func argument<Value: FieldValue>(
        _ name: String, _ documentation: String, default fallback: Value,
        completion: Field.Completion = .nothing, check: @escaping (Value) -> String? = { _ in nil }
    ) -> Value {
        required(
            Declaration(
                name: name, documentation: documentation, example: fallback, fallback: fallback,
                isRequired: false, role: .argument, completion: completion,
                objection: Self.refusal(check)))
    }

    /// An argument of a command that may be left out and has no default; nil then.
    public func optionalArgument<Value: FieldValue>(
        _ name: String, _ documentation: String, example: Value,
        completion: Field.Completion = .nothing
    ) -> Value? {
        let outcome = read(
            Declaration(
                name: name, documentation: documentation, example: example, isRequired: false,
                role: .argument, completion: completion))
        guard case .value(let value) = outcome, context != nil else { return nil }
        return value
    }

    /// The remaining arguments of a command, one or more unless there is a default.
    ///
    /// - Parameters:
    ///   - fallback: What stands for none; nil makes one required.
    public func arguments<Value: FieldValue>(
        _ name: String, _ documentation: String, example: [Value], default fallback: [Value]? = nil,
        completion: Field.Completion = .nothing
    ) -> [Value] {
        required(
            Declaration(
                name: name, documentation: documentation, example: example, fallback: fallback,
                isRequired: fallback == nil, role: .arguments, completion: completion))
    }

    /// Refuses options that would be ignored beside another one, where a command line gives both.
    ///
    /// - Parameter reason: why, in a sentence without a full stop.
    public func refuse(_ others: [String], beside name: String, because reason: String) {
        guard case .arguments(let arguments, let context) = source else { return }
        let options = described.filter { $0.role == .option }
        func isGiven(_ name: String) -> Bool {
            let option = options.first { $0.name == name }?.option
            return arguments.options.contains { $0.name == option }
        }
        guard isGiven(name), let kept = options.first(where: { $0.name == name })?.option else {
            return
        }
        for other in options where others.contains(other.name) && isGiven(other.name) {
            context.report(
                .conflictingOptions, "--\(other.option) has no effect beside --\(kept)",
                hint: reason, at: nil)
            fail()
        }
    }

    /// An option of a command whose value a shell completes.
    public func callAsFunction(
        _ name: String, _ documentation: String, default fallback: String,
        completion: Field.Completion
    ) -> String {
        required(
            Declaration(
                name: name, documentation: documentation, example: fallback, fallback: fallback,
                isRequired: false, completion: completion))
    }
}
