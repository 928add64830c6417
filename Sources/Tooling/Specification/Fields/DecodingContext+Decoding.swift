extension DecodingContext {
    /// Reads a value, from the environment or a file if it says so; nil once a problem is reported.
    public func decode<Value: FieldValue>(
        _ type: Value.Type = Value.self, from json: JSON
    ) -> Value? {
        resolve(type, json).value
    }

    /// Reads a settings object; nil once a problem is reported.
    ///
    /// - Parameters:
    ///   - others: Keys of the object that somebody else reads, and are therefore not unknown.
    public func decode<Values: Settings>(
        settings type: Values.Type = Values.self, from json: JSON, besides others: [String] = []
    ) -> Values? {
        guard let members = json.members else {
            report(.wrongType, "expected an object, found \(json.kind)", at: json.position)
            return nil
        }
        let fields = Fields(.document(members, json.position, self))
        let settings = type.init(fields)
        fields.refuseUnknown(besides: others)
        return fields.hasFailed ? nil : settings
    }

    /// The single member of an object that names which of several forms it takes.
    ///
    /// For values with a grammar of their own, such as `{"any": […]}` or `{"count": 512}`.
    /// - Returns: The member and the context of its value; nil once a problem is reported.
    public func alternative(
        of json: JSON, among names: [String], kind: String
    ) -> (member: JSON.Member, context: DecodingContext)? {
        guard let members = json.members else {
            report(.wrongType, "expected \(kind), found \(json.kind)", at: json.position)
            return nil
        }
        let unknown = members.filter { !names.contains($0.key) }
        for member in unknown { at(member.key).reportUnknownKey(member, among: names) }
        guard unknown.isEmpty else { return nil }
        guard let member = members.first, members.count == 1 else {
            let message =
                members.isEmpty ? "\(kind) is empty" : "\(kind) has \(members.count) keys, not one"
            report(
                .invalidValue, message, hint: "valid: \(names.joined(separator: ", "))",
                at: json.position)
            return nil
        }
        return (member, at(member.key))
    }

    func reportUnknownKey(_ member: JSON.Member, among names: [String]) {
        report(
            .unknownKey, "unknown key \(JSON.quoted(member.key))",
            hint: Suggestion.hint(for: member.key, among: names), at: member.position)
    }

    /// Reads a value and says where it came from.
    func resolve<Value: FieldValue>(
        _ type: Value.Type, _ json: JSON
    ) -> (value: Value?, origin: DecodedSetting.Origin) {
        guard Substitution.isMeant(by: json) else {
            return (Value.decode(json, in: self), .document)
        }
        guard let substitution = Substitution(json, in: self) else { return (nil, .document) }
        guard Value.isWrittenAsText else {
            report(
                .invalidSubstitution, "\(Value.kind) cannot come from the environment or a file",
                at: json.position)
            return (nil, .document)
        }
        switch substitution.place {
        case .environment: return fromEnvironment(substitution, at: json.position)
        case .file: return fromFile(substitution.name, at: json.position)
        }
    }

    private func fromEnvironment<Value: FieldValue>(
        _ substitution: Substitution, at position: Position?
    ) -> (Value?, DecodedSetting.Origin) {
        var context = self
        if let text = environment.value(of: substitution.name) {
            context.origin = .environment(substitution.name)
            guard let text = context.withoutMargins(text, at: position) else {
                return (nil, context.origin)
            }
            return (context.parse(text, unit: substitution.unit, at: position), context.origin)
        }
        guard let fallback = substitution.fallback else {
            let isEmpty = environment.variables[substitution.name] != nil
            report(
                .unknownEnvironment,
                "the environment variable \(substitution.name) is \(isEmpty ? "empty" : "not set")",
                hint: "set it, or give a \"default\"", severity: missingSeverity, at: position)
            return (nil, .environment(substitution.name))
        }
        context = at("default")
        if let unit = substitution.unit, case .number(let text) = fallback.value {
            return (context.parse(text, unit: unit, at: fallback.position), .fallback)
        }
        return (Value.decode(fallback, in: context), .fallback)
    }

    private func fromFile<Value: FieldValue>(
        _ path: String, at position: Position?
    ) -> (Value?, DecodedSetting.Origin) {
        var context = self
        context.origin = .file(path)
        // What is kept in a file of its own is kept there because it is secret.
        context.isSecret = true
        do {
            let read = try environment.readFile(path)
            guard let text = context.withoutMargins(read, at: position) else {
                return (nil, context.origin)
            }
            return (context.parse(text, at: position), context.origin)
        } catch {
            let reason = (error as? Diagnostic)?.message ?? "\(error)"
            report(
                .unreadableFile, "the file \(path) cannot be read: \(reason)",
                severity: missingSeverity, at: position)
            return (nil, context.origin)
        }
    }

    /// The text without the line breaks at its end; nil, and reported, for one that is empty then,
    /// or has other white space around it, which nobody sees and everything fails by.
    private func withoutMargins(_ text: String, at position: Position?) -> String? {
        var trimmed = text[...]
        while trimmed.last?.isNewline == true { trimmed.removeLast() }
        let place =
            switch origin {
            case .environment(let name): "the environment variable \(name)"
            case .file(let path): "the file \(path)"
            case .document, .fallback, .commandLine: "the value"
            }
        if trimmed.isEmpty {
            report(.invalidValue, "\(place) is empty", at: position)
            return nil
        }
        // A key or a certificate has lines of its own.
        let isOneLine = !trimmed.contains(where: \.isNewline)
        if isOneLine, trimmed.first?.isWhitespace == true || trimmed.last?.isWhitespace == true {
            report(.invalidValue, "\(place) begins or ends with white space", at: position)
            return nil
        }
        return String(trimmed)
    }

    private var missingSeverity: Diagnostic.Severity {
        environment.missing == .error ? .error : .warning
    }
}
