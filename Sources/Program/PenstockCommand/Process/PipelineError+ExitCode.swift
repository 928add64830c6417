internal import CommandLineInterface
internal import PipelineCore

extension PipelineError {
    /// What no change of a pipeline file would mend, and no second try either: somebody has to do something about a
    /// server, a database, a file or an address.
    private static let environmental: Set = [
        "address-in-use", "bus-authentication", "bus-forbidden", "bus-unsupported", "bus-unusable",
        "cache-login", "cache-missing", "cache-unsupported",
        "cannot-listen",
        "file-unusable", "foreign-database", "line-too-long", "not-a-database",
        "position-missing", "rule-conflict", "schema-newer",
        "state-owned", "state-unowned",
        "store-authentication", "store-changed", "store-corrupt", "store-encoding",
        "store-encryption",
        "store-in-use",
        "store-linked", "store-missing", "store-newer",
        "store-options", "store-refused",
        "store-not-writable", "store-permission", "store-replaced", "store-schema", "store-version",
        "topic-missing", "unknown-topic",
    ]

    /// Whether the environment is what is wrong, and not what was asked for.
    var isOfEnvironment: Bool {
        disposition == .retryable || Self.environmental.contains(code)
    }

    /// How a command that this error ends exits.
    var exitCode: ExitCode {
        switch code {
        case "output-failed": .outputFailed
        case "output-closed": .outputClosed
        default: isOfEnvironment ? .unavailable : .failure
        }
    }
}
