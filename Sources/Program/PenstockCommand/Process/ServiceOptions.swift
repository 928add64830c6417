internal import ConfigurationFields
internal import GRPCTransport
internal import LocatedJSON
internal import Logging

/// What every command takes that runs until it is told to stop.
struct ServiceOptions: Sendable {
    enum Level: String, Choice { case trace, debug, info, notice, warning, error }
    enum Format: String, Choice { case auto, text, json }

    let grace: Duration
    let admin: String?
    let logLevel: Level
    let logFormat: Format

    init(_ field: Fields) {
        grace = field(
            "grace", "How long work in flight may take after a stop.", default: .seconds(30))
        admin = field.optional(
            "admin", "Where /metrics, /healthz and /readyz listen.", example: "127.0.0.1:9464")
        logLevel = field("log_level", "The least important events that are logged.", default: .info)
        logFormat = field(
            "log_format", "How events are written; auto is text on a terminal and JSON elsewhere.",
            default: .auto)
    }

    func logger(_ label: String) -> Logger {
        let format = LogFormat(rawValue: logFormat.rawValue) ?? .auto
        return Logger(label: label, level: Logger.Level(rawValue: logLevel.rawValue) ?? .info) {
            StreamLogHandler.standardError(label: $0, format: format)
        }
    }
}

extension Logger {
    /// Logs what the gRPC library has to say from now on.
    func takeGRPCLog() {
        GRPCLog.receive { line in
            log(level: line.isError ? .warning : .debug, "gRPC: \(line.message)")
        }
    }
}
