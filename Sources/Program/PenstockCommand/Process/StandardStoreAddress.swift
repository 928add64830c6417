internal import PipelineCore
internal import Specification
internal import StandardCatalogue

/// The store that a command without a pipeline file works on.
enum StandardStoreAddress {
    /// What pipelines use when nothing else is said.
    static let embeddedDefault = "embedded:data/penstock.sqlite"

    /// The address given on the command line; PENSTOCK_STORE otherwise, or the embedded default.
    ///
    /// - Throws: ``CommandFailure`` `usage` for what is no address.
    static func of(_ given: String?) throws -> ResourceAddress {
        let named = ProcessEnvironment.variables["PENSTOCK_STORE"].flatMap { $0.isEmpty ? nil : $0 }
        let url = given ?? named ?? embeddedDefault
        guard let address = ResourceAddress(url: url) else {
            throw CommandFailure(
                .usage, "\"\(Redaction.withoutCredentials(url))\" is not the address of a store")
        }
        return address
    }
}

extension OpenResources {
    /// - Throws: ``CommandFailure`` `usage` when there is no store at that address.
    mutating func openStore(_ address: ResourceAddress) throws -> any StandardStore {
        guard let store = try open(address) as? any StandardStore else {
            throw CommandFailure(.usage, "\(address) is not a store")
        }
        return store
    }
}
