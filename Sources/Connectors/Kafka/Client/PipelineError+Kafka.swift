internal import CRdKafka
internal import PipelineCore

extension PipelineError {
    /// librdkafka's error as ours.
    ///
    /// - Parameters:
    ///   - doing: what failed, as the beginning of a sentence.
    ///   - reason: what librdkafka adds to the code; its general text otherwise.
    static func kafka(
        _ code: rd_kafka_resp_err_t, _ doing: String, _ reason: String? = nil
    ) -> PipelineError {
        let kind = KafkaErrorKind(code, reason ?? "")
        let general = unsafe String(cString: rd_kafka_err2str(code))
        let text = reason.map { $0.isEmpty ? general : $0 } ?? general
        let advice = kind.advice.map { "; \($0)" } ?? ""
        return PipelineError(
            kind.disposition, code: kind.rawValue,
            "\(doing): \(text)\(advice) (librdkafka \(code.rawValue))")
    }

    /// Takes over an `rd_kafka_error_t`, and destroys it.
    static func kafka(consuming error: OpaquePointer, _ doing: String) -> PipelineError {
        defer { unsafe rd_kafka_error_destroy(error) }
        return unsafe .kafka(
            rd_kafka_error_code(error), doing, String(cString: rd_kafka_error_string(error)))
    }
}
