internal import PipelineConfiguration
internal import PipelineCore
internal import Specification

/// Reads pipeline files as `run` and everything that acts on them does: all problems first, then nothing.
enum PipelineFiles {
    /// - Throws: ``CommandFailure`` `configuration`, after the diagnostics were printed.
    static func read(
        _ files: [String], catalogue: Catalogue, console: Console
    ) throws -> [PipelineDefinition] {
        let reader = PipelineReader(
            catalogue: catalogue, environment: ProcessEnvironment.specification(missing: .error))
        var definitions: [PipelineDefinition] = []
        var isBroken = false
        for file in files {
            let reading = reader.read(try ProcessEnvironment.readFile(file), file: file)
            if !reading.diagnostics.list.isEmpty {
                console.err(
                    reading.diagnostics.rendered(
                        as: .text, source: console.isTerminal ? reading.source : nil))
            }
            if let definition = reading.definition, reading.isValid {
                definitions.append(definition)
            } else {
                isBroken = true
            }
        }
        if isBroken {
            throw CommandFailure(.configuration, "nothing was started: see the errors above")
        }
        return definitions
    }
}
