internal import PipelineCore
internal import ReportMessages

extension ReportError {
    /// A case's failure on the wire: `invalid-parameters` becomes `INVALID_PARAMETERS`.
    init(code: String, reason: String) {
        self.init()
        self.code = code.wireCode
        message = reason.cut(to: GenerationLimits.reasonBytes)
    }
}

extension CaseResult {
    /// A case's failure from the wire: `INVALID_PARAMETERS` becomes `invalid-parameters`.
    init(_ error: ReportError) {
        self = .failure(
            code: error.code.isEmpty ? "generator-error" : error.code.pipelineCode,
            reason: error.message.cut(to: GenerationLimits.reasonBytes))
    }
}

extension String {
    /// A pipeline's code (kebab-case) as messages have it: `UPPER_CASE`.
    var wireCode: String { String(uppercased().map { $0 == "-" ? "_" : $0 }) }

    /// A message's code as pipelines have it: kebab-case.
    var pipelineCode: String { String(lowercased().map { $0 == "_" ? "-" : $0 }) }

    /// The longest prefix of whole characters with at most so many bytes.
    fileprivate func cut(to bytes: Int) -> String {
        if utf8.count <= bytes { return self }
        var kept = ""
        for character in self {
            if kept.utf8.count + character.utf8.count > bytes { break }
            kept.append(character)
        }
        return kept
    }
}
