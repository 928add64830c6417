internal import LocatedJSON

extension Fields {
    /// A setting that must be given.
    ///
    /// - Parameters:
    ///   - name: The name in snake_case; a command line derives its `--kebab-case` from it.
    ///   - documentation: One sentence.
    ///   - unit: What one of it is, for example `records`; durations and sizes carry their own.
    ///   - example: What somebody might write; it stands in when the value is refused.
    ///   - secret: Whether the value must never be printed.
    ///   - check: Why a value will not do, as the rest of a sentence that begins with the value,
    ///     or nil: `"9x" must begin with a letter`.
    public func callAsFunction<Value: FieldValue>(
        _ name: String, _ documentation: String, unit: String? = nil, example: Value,
        secret: Bool = false, check: @escaping (Value) -> String? = { _ in nil }
    ) -> Value {
        required(
            Declaration(
                name: name, documentation: documentation, unit: unit, example: example,
                isRequired: true, isSecret: secret, objection: Self.refusal(check)))
    }

    /// A setting with a default.
    ///
    /// - Parameters:
    ///   - fallback: The value when it is left out.
    ///   - example: What else somebody might write.
    public func callAsFunction<Value: FieldValue>(
        _ name: String, _ documentation: String, unit: String? = nil, default fallback: Value,
        example: Value? = nil, secret: Bool = false,
        check: @escaping (Value) -> String? = { _ in nil }
    ) -> Value {
        required(
            Declaration(
                name: name, documentation: documentation, unit: unit,
                example: example ?? fallback, fallback: fallback, isRequired: false,
                isSecret: secret, objection: Self.refusal(check)))
    }

    /// A setting with a default, within bounds such as `1...10_000` or `1...`.
    public func callAsFunction<Value: FieldValue & Comparable>(
        _ name: String, _ documentation: String, unit: String? = nil, default fallback: Value,
        in range: some FieldRange<Value>, example: Value? = nil
    ) -> Value {
        var declaration = Declaration(
            name: name, documentation: documentation, unit: unit, example: example ?? fallback,
            fallback: fallback, isRequired: false)
        declaration.bound(by: range)
        return required(declaration)
    }

    /// A setting that may be left out.
    ///
    /// - Returns: The value, or nil when it was left out, refused or only described.
    public func optional<Value: FieldValue>(
        _ name: String, _ documentation: String, unit: String? = nil, example: Value,
        secret: Bool = false, check: @escaping (Value) -> String? = { _ in nil }
    ) -> Value? {
        optional(
            Declaration(
                name: name, documentation: documentation, unit: unit, example: example,
                isRequired: false, isSecret: secret, objection: Self.refusal(check)))
    }

    /// A setting that may be left out, within bounds such as `1...10_000` or `1...`.
    public func optional<Value: FieldValue & Comparable>(
        _ name: String, _ documentation: String, unit: String? = nil, example: Value,
        in range: some FieldRange<Value>
    ) -> Value? {
        var declaration = Declaration(
            name: name, documentation: documentation, unit: unit, example: example,
            isRequired: false)
        declaration.bound(by: range)
        return optional(declaration)
    }

    /// Says what is wrong with settings that are each right but not together.
    ///
    /// Asked only when every field before was read, since what was refused is an example.
    /// - Parameters:
    ///   - name: The field at whose value to point.
    ///   - objection: What is wrong, as a sentence without a full stop, or nil.
    public func check(_ name: String, _ objection: () -> String?) {
        guard !hasFailed, let context, let message = objection() else { return }
        fail()
        let key = String(name.map { $0 == "-" ? "_" : $0 })
        switch source {
        case .nothing: break
        case .document(let members, let position, _):
            let member = members.first { $0.key == key }
            (member == nil ? context : context.at(key)).report(
                .invalidValue, message, at: member?.value.position ?? position)
        case .arguments: context.report(.invalidValue, message, at: nil)
        }
    }

    private func optional<Value: FieldValue>(_ declaration: Declaration<Value>) -> Value? {
        if case .nothing = source {
            _ = read(declaration)
            return nil
        }
        if case .value(let value) = read(declaration) { return value }
        return nil
    }

    static func refusal<Value>(
        _ check: @escaping (Value) -> String?
    ) -> (Value) -> Refusal? {
        { value in check(value).map { Refusal(.invalidValue, $0) } }
    }
}

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
