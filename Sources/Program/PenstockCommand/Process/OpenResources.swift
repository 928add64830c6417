internal import PipelineConfiguration
internal import PipelineCore
internal import Specification
internal import StandardCatalogue

/// The resources of this process: one for each address, however many pipelines and names refer to it.
struct OpenResources {
    private var byAddress: [String: any Resource] = [:]
    private let catalogue: Catalogue
    private let context: ResourceContext

    init(catalogue: Catalogue, context: ResourceContext) {
        self.catalogue = catalogue
        self.context = context
    }

    var all: [any Resource] { byAddress.sorted { $0.key < $1.key }.map(\.value) }
    var stores: [any StandardStore] { all.compactMap { $0 as? any StandardStore } }

    /// - Throws: ``PipelineError`` for an address that its connector refuses.
    mutating func open(_ definition: PipelineDefinition) throws -> [ResourceName: any Resource] {
        var opened: [ResourceName: any Resource] = [:]
        for resource in definition.resources {
            opened[resource.name] = try open(resource.address)
        }
        return opened
    }

    mutating func open(_ address: ResourceAddress) throws -> any Resource {
        let properties = address.properties.sorted { $0.key < $1.key }
            .map { "\($0.key)=\($0.value)" }
        guard let connector = catalogue.connector(address.scheme) else {
            throw PipelineError.fatal(
                "unknown-scheme", "there is no connector for \(address.scheme): addresses")
        }
        let key = ([connector.identity(address)] + properties).joined(separator: "\n")
        if let known = byAddress[key] { return known }
        let new = try connector.open(address, context)
        byAddress[key] = new
        return new
    }

    func close() async {
        for resource in all { await resource.close() }
    }
}
