internal import ConfigurationFields
internal import CommandLineInterface
internal import ConfigurationDiagnostics
internal import PipelineConfiguration
internal import PipelineCore

/// Reads pipeline files, for `validate` and for everything that acts on them: by this code and no
/// other.
enum PipelineFiles {
    /// Everything that is wrong with the files, alone and together; nothing is printed.
    ///
    /// - Parameters:
    ///   - files: paths; `-` is standard input.
    ///   - missing: what a variable that is not set here is.
    static func readings(
        of files: [String], catalogue: Catalogue, missing: Environment.Missing
    ) -> [PipelineReading] {
        let reader = PipelineReader(
            catalogue: catalogue, environment: ProcessEnvironment.ofFiles(missing: missing))
        let files = withoutSchemas(files)
        var unreadable: [Int: PipelineReading] = [:]
        var texts: [(name: String, bytes: [UInt8])] = []
        for (index, file) in files.enumerated() {
            let name = file == "-" ? "<stdin>" : file
            do {
                texts.append((name, try ProcessEnvironment.readPipeline(file)))
            } catch {
                unreadable[index] = PipelineReading(
                    unreadable: name,
                    error as? Diagnostic ?? Diagnostic(.unreadableFile, "can't read it: \(error)"))
            }
        }
        var readings = reader.read(together: texts)[...]
        return files.indices.compactMap { unreadable[$0] ?? readings.popFirst() }
    }

    /// A pattern such as `Pipelines/*.json` brings the schema of the files along.
    private static func withoutSchemas(_ files: [String]) -> [String] {
        let pipelines = files.filter { !$0.hasSuffix(".schema.json") }
        return pipelines.isEmpty ? files : pipelines
    }

    /// Reads files as `run` and everything that acts on them does: all problems first, then
    /// nothing.
    ///
    /// - Throws: ``CommandFailure`` `configuration`, after the diagnostics were printed.
    static func read(
        _ files: [String], catalogue: Catalogue, console: Console
    ) throws -> [PipelineDefinition] {
        let readings = readings(of: files, catalogue: catalogue, missing: .error)
        for reading in readings {
            // What is only worth knowing is asked for by `validate`.
            let found = Diagnostics(reading.diagnostics.list.filter { $0.severity != .note })
            if found.list.isEmpty { continue }
            console.err(
                found.rendered(
                    as: .text, source: console.isTerminal ? reading.source : nil,
                    colours: console.isTerminal && console.allowsColour))
        }
        return try valid(readings) { _ in "nothing was started: see the errors above" }
    }

    /// As ``read(_:catalogue:console:)``, for whoever is told of it in one message.
    ///
    /// - Throws: ``CommandFailure`` `configuration` with every error.
    static func reread(_ files: [String], catalogue: Catalogue) throws -> [PipelineDefinition] {
        try valid(readings(of: files, catalogue: catalogue, missing: .error)) { readings in
            readings.flatMap { $0.diagnostics.list.filter { $0.severity == .error } }
                .map(\.description).joined(separator: "; ")
        }
    }

    private static func valid(
        _ readings: [PipelineReading], otherwise message: ([PipelineReading]) -> String
    ) throws -> [PipelineDefinition] {
        let definitions = readings.compactMap { $0.isValid ? $0.definition : nil }
        if definitions.count < readings.count {
            throw CommandFailure(.configuration, message(readings))
        }
        return definitions
    }
}
