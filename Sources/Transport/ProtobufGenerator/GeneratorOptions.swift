/// The plugin's parameters: `--penstock_opt=visibility=package,prefix:grpc.health.v1=Health`.
struct GeneratorOptions {
    /// The access level of everything generated: `public`, `package` or `internal`.
    var visibility = "public"
    /// Set where the messages are part of the runtime's own module.
    var isRuntime = false
    /// The name of the enum that holds the descriptors of all files; nil: none is generated.
    var descriptors: String?
    /// What Swift's type names begin with, by proto package. By default `a.b.v1` gives `A_B_V1_`.
    var prefixes: [String: String] = [:]

    /// - Throws: ``GeneratorError`` for an option that does not exist.
    init(parameter: String) throws(GeneratorError) {
        for option in parameter.split(separator: ",") {
            let parts = option.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false
            ).map(String.init)
            let (name, value) = (parts[0], parts.count > 1 ? parts[1] : "")
            switch name {
            case "visibility": visibility = value
            case "runtime": isRuntime = value == "self"
            case "descriptors": descriptors = value
            case _ where name.hasPrefix("prefix:"): prefixes[String(name.dropFirst(7))] = value
            default: throw GeneratorError("protoc-gen-penstock has no option \(name)")
            }
        }
    }
}

/// Why nothing could be generated; protoc prints it.
struct GeneratorError: Error {
    let message: String

    init(_ message: String) { self.message = message }
}
