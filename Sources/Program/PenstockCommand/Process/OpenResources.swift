internal import Concurrency
internal import CommandLineInterface
internal import ConfigurationDiagnostics
internal import PipelineConfiguration
internal import PipelineCore
internal import StandardCatalogue

/// The resources of this process: one for each address, however many pipelines and names refer to
/// it.
struct OpenResources {
    private var byAddress: [String: any Resource] = [:]
    private let catalogue: Catalogue
    private let context: ResourceContext

    init(catalogue: Catalogue, context: ResourceContext) {
        self.catalogue = catalogue
        self.context = context
    }

    var all: [any Resource] { byAddress.sorted { $0.key < $1.key }.map(\.value) }
    /// All, by their addresses without credentials.
    var named: [(name: String, resource: any Resource)] {
        byAddress.sorted { $0.key < $1.key }.map { key, resource in
            (Redaction.withoutCredentials(String(key.prefix { $0 != "\n" })), resource)
        }
    }
    /// What each is missed as when it is away, those that generate elsewhere not included.
    var backends: Set<Backend> { Set(byAddress.values.compactMap(\.backend)) }

    /// As ``named`` has it.
    func name(of address: ResourceAddress) -> String {
        Redaction.withoutCredentials(
            catalogue.connector(address.scheme)?.identity(address) ?? address.url)
    }
    var stores: [any StandardStore] { all.compactMap { $0 as? any StandardStore } }

    /// Refuses to look into stores, or to change what they hold, where none is: whoever runs the
    /// pipelines may have another environment, and so others. Makes none.
    ///
    /// - Throws: ``CommandFailure`` `unavailable`.
    func refuseMissing(_ definitions: [PipelineDefinition]) throws {
        guard !stores.isEmpty, !stores.contains(where: \.isThere) else { return }
        for definition in definitions {
            guard let store = definition.resources.last(where: { $0.kinds.contains(.store) }) else {
                continue
            }
            throw CommandFailure(
                .unavailable,
                "nothing is kept in \(store.address): the file is not there. "
                    + definition.advice(on: store.name))
        }
    }

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
                .unknownScheme, "there is no connector for \(address.scheme): addresses")
        }
        let key = ([connector.identity(address)] + properties).joined(separator: "\n")
        if let known = byAddress[key] { return known }
        let new = try connector.open(address, context)
        byAddress[key] = new
        return new
    }

    /// Asks stores and caches whether this process may use them, so that a mistake ends it at once
    /// and not where it is noticed last. What does not answer is waited for by whoever needs it;
    /// buses say it to those who read and write.
    ///
    /// - Throws: ``PipelineError``, fatal.
    static func refuseMistakes(in resources: [any Resource], until stop: AsyncEvent) async throws {
        let asked = resources.filter { resource in
            resource is any Cache || (resource as? any StandardStore)?.migratesItself == false
        }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try? await stop.wait()
                return false
            }
            for resource in asked {
                group.addTask {
                    do { try await resource.probe() } catch let error as PipelineError {
                        if error.disposition == .fatal { throw error }
                    } catch is CancellationError {}
                    return true
                }
            }
            var left = asked.count
            while left > 0, try await group.next() == true { left -= 1 }
            group.cancelAll()
        }
    }

    /// Closes all, side by side: one that hangs keeps no other from its farewell.
    func close(_ openWork: OpenWork = OpenWork()) async {
        await withTaskGroup(of: Void.self) { group in
            for (key, resource) in byAddress {
                let url = key.prefix { $0 != "\n" }
                group.addTask {
                    await openWork.during("closing \(Redaction.withoutCredentials(String(url)))") {
                        await resource.close()
                    }
                }
            }
        }
    }
}
