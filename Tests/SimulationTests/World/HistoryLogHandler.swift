import Logging
import PipelineSimulation

/// Writes what a simulated process logs into the world's history.
struct HistoryLogHandler: LogHandler {
    var logLevel: Logger.Level = .debug
    var metadata: Logger.Metadata = [:]
    let process: SimulatedProcess

    func log(
        level: Logger.Level, message: Logger.Message, metadata: Logger.Metadata?, source: String,
        file: String, function: String, line: UInt
    ) {
        let all = self.metadata.merging(metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let values = all.map { " \($0.key)=\($0.value)" }.joined()
        process.simulator.log("\(process.name) \(level) \(message)\(values)")
    }
}
