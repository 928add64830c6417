internal import ConfigurationDiagnostics
internal import ConfigurationFields
internal import LocatedJSON
internal import PipelineCore

/// An entry of `stages` as far as it could be read.
struct StageReading {
    var index: Int
    var json: JSON
    var id: String?
    /// The type, if the catalogue has it, even when the settings are wrong.
    var plugin: (any StagePlugin.Type)?
    var definition: StageDefinition?

    /// What a message calls the stage.
    var shownName: String { id.map { JSON.quoted($0) } ?? "number \(index + 1)" }
}

/// Reads `stages`.
struct StageDecoding {
    /// The most stages of a chain.
    static let limit = 64

    let catalogue: Catalogue
    let context: DecodingContext

    func decode(_ root: JSON) -> [StageReading] {
        guard let json = root["stages"] else {
            context.report(
                .missingKey, "the key \"stages\" is missing", hint: "it is the list of the stages",
                at: root.position)
            return []
        }
        let context = context.at("stages")
        guard let items = json.items else {
            context.report(.wrongType, "expected a list, found \(json.kind)", at: json.position)
            return []
        }
        guard (1...Self.limit).contains(items.count) else {
            context.report(
                .outOfRange, "there are \(items.count) stages; allowed are 1 to \(Self.limit)",
                at: json.position)
            return []
        }
        let stages = items.enumerated().map { index, item in
            stage(item, index, context.at(index))
        }
        refuseRepeatedIDs(stages, context)
        return stages
    }

    private func stage(_ json: JSON, _ index: Int, _ context: DecodingContext) -> StageReading {
        var stage = StageReading(index: index, json: json)
        guard let members = json.members else {
            context.report(
                .wrongType, "expected an object, found \(json.kind)", at: json.position)
            return stage
        }
        let head = context.decode(
            settings: StageHead.self, from: json, besides: members.map(\.key))
        // A wrong id is no reason to be silent about the rest.
        stage.id = head?.id.text
        guard let type = head?.type ?? json["type"]?.string else { return stage }
        guard let plugin = catalogue.stage(type) else {
            context.at("type").report(
                .unknownStage, "there is no stage \(JSON.quoted(type))",
                hint: Suggestion.hint(for: type, among: catalogue.stages.map { $0.type }),
                at: json["type"]?.position)
            return stage
        }
        stage.plugin = plugin
        guard let settings = settings(plugin, json, context) else { return stage }
        let contract = settings.contract(in: catalogue)
        report(contract.objections, json, context)
        stage.definition = StageDefinition(
            id: stage.id ?? "", settings: settings, contract: contract, index: index,
            position: json.position)
        return stage
    }

    private func settings<Plugin: StagePlugin>(
        _ plugin: Plugin.Type, _ json: JSON, _ context: DecodingContext
    ) -> (any StagePlugin)? {
        context.decode(settings: plugin, from: json, besides: StageHead.keys)
    }

    private func report(
        _ objections: [StageContract.Objection], _ json: JSON, _ context: DecodingContext
    ) {
        for objection in objections {
            let (context, position) = context.place(of: objection.field, in: json)
            context.report(
                objection.code, objection.message, hint: objection.hint,
                severity: objection.isWarning ? .warning : .error, at: position)
        }
    }

    private func refuseRepeatedIDs(_ stages: [StageReading], _ context: DecodingContext) {
        var first: [String: StageReading] = [:]
        for stage in stages {
            guard let id = stage.id else { continue }
            guard let earlier = first[id] else {
                first[id] = stage
                continue
            }
            let line = earlier.json["id"]?.position.map { " in line \($0.line)" } ?? ""
            context.at(stage.index).at("id").report(
                .duplicateID, "the id \(JSON.quoted(id)) is taken",
                hint: "stage \(earlier.index + 1)\(line) has it", at: stage.json["id"]?.position)
        }
    }
}

extension DecodingContext {
    /// The context and the position of a field named by a path below the value here.
    func place(of field: String, in json: JSON) -> (DecodingContext, Position?) {
        guard !field.isEmpty, let path = JSONPath(relative: field) else {
            return (self, json.position)
        }
        var context = self
        for step in path.steps {
            switch step {
            case .key(let key): context = context.at(key)
            case .index(let index): context = context.at(index)
            }
        }
        return (context, json.position(of: path))
    }
}

/// An entry of `resources` as far as it could be read.
struct ResourceReading {
    var name: ResourceName
    var position: Position?
    /// Nil when its URL is wrong or not known here; its name counts all the same.
    var definition: ResourceDefinition?
}

/// Reads `resources`.
struct ResourceDecoding {
    let catalogue: Catalogue
    let context: DecodingContext

    func decode(_ root: JSON) -> [ResourceReading] {
        guard let json = root["resources"] else { return [] }
        let context = context.at("resources")
        guard let members = json.members else {
            context.report(
                .wrongType, "expected an object, found \(json.kind)", at: json.position)
            return []
        }
        return members.map { member in
            checkName(member, context.at(member.key))
            return ResourceReading(
                name: ResourceName(stringLiteral: member.key), position: member.position,
                definition: definition(member, context.at(member.key)))
        }
    }

    private func checkName(_ member: JSON.Member, _ context: DecodingContext) {
        do throws(Refusal) {
            _ = try Identifier(parsing: member.key)
        } catch {
            context.report(
                error.code, "\(JSON.quoted(member.key)) \(error.message)", hint: error.hint,
                at: member.position)
        }
    }

    private func definition(
        _ member: JSON.Member, _ context: DecodingContext
    ) -> ResourceDefinition? {
        guard let settings = context.decode(settings: ResourceSettings.self, from: member.value)
        else { return nil }
        let place = context.at("url")
        // Without a record of the URL its variable is not set, and an example stands in for it.
        guard context.settings.contains(where: { $0.path == place.path }) else { return nil }
        let position = member.value["url"]?.position
        guard let address = ResourceAddress(url: settings.url, properties: settings.properties)
        else {
            place.report(
                .invalidAddress, "the URL has no scheme",
                hint: "for example \(catalogue.connectors.first?.example ?? "kafka://host:9092")",
                at: position)
            return nil
        }
        guard let connector = catalogue.connector(address.scheme) else {
            let schemes = catalogue.connectors.flatMap(\.schemes)
            place.report(
                .unknownScheme, "no connector knows the scheme \(JSON.quoted(address.scheme))",
                hint: Suggestion.hint(for: address.scheme, among: schemes), at: position)
            return nil
        }
        if settings.url.first?.isWhitespace == true || settings.url.last?.isWhitespace == true {
            place.report(
                .invalidAddress, "the URL begins or ends with white space", at: position)
            return nil
        }
        if let objection = connector.check(address) {
            let secrets = address.properties.filter { Redaction.isNameOfSecret($0.key) }.map(
                \.value)
            let property = property(of: member.value, namedBy: objection, context)
            (property?.context ?? place).report(
                .invalidAddress,
                Redaction.withoutSecrets(of: address.url, and: secrets, in: objection),
                hint: property == nil ? "for example \(connector.example)" : nil,
                at: property?.position ?? position)
            return nil
        }
        for file in connector.files(address) {
            let property = member.value.members?.first { $0.key == file.property }
            (property.map { context.at($0.key) } ?? place)
                .requireFile(file.path, at: property?.position ?? position)
        }
        return ResourceDefinition(
            name: ResourceName(stringLiteral: member.key), address: address,
            kinds: connector.kinds, place: connector.place(address), position: member.position,
            written: connector.identity(address))
    }

    /// Where it is a property that will not do, or an item of one, it is named.
    private func property(
        of json: JSON, namedBy objection: String, _ context: DecodingContext
    ) -> (position: Position?, context: DecodingContext)? {
        for member in json.members ?? [] where member.key != "url" {
            let here = context.at(member.key)
            for (index, item) in (member.value.items ?? []).enumerated()
            where objection.contains(JSON.quoted("\(member.key)[\(index)]")) {
                return (item.position, here.at(index))
            }
            let names = [member.key, "\(member.key)[]"]
            if names.contains(where: { objection.contains(JSON.quoted($0)) })
                || objection.contains("\"\(member.key).")
            {
                return (member.position, here)
            }
        }
        return nil
    }
}
