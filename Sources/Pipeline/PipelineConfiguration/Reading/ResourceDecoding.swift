internal import ConfigurationDiagnostics
internal import ConfigurationFields
internal import LocatedJSON
internal import PipelineCore

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
            // Where it is a property that will not do, it is named.
            let property = member.value.members?.first { other in
                other.key != "url" && objection.contains(JSON.quoted(other.key))
            }
            (property.map { context.at($0.key) } ?? place).report(
                .invalidAddress,
                Redaction.withoutSecrets(of: address.url, and: secrets, in: objection),
                hint: property == nil ? "for example \(connector.example)" : nil,
                at: property?.position ?? position)
            return nil
        }
        return ResourceDefinition(
            name: ResourceName(stringLiteral: member.key), address: address,
            kinds: connector.kinds, place: connector.place(address), position: member.position,
            written: connector.identity(address))
    }
}
