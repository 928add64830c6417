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
