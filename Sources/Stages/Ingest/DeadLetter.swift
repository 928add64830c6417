internal import PipelineCore

/// A refused record as it is kept: key, payload and headers untouched, the reason in headers beside them.
enum DeadLetter {
    static func topic(of topic: String) -> String { "\(topic).dead-letters" }

    static func record(_ rejection: Rejection) -> OutgoingRecord {
        let origin = rejection.record.origin
        return OutgoingRecord(
            key: rejection.record.key, payload: rejection.record.payload,
            isTombstone: rejection.record.isTombstone,
            headers: rejection.record.headers + [
                Header("penstock-stage", rejection.stage),
                Header("penstock-code", rejection.code),
                Header("penstock-reason", rejection.reason),
                Header("penstock-attempts", "\(rejection.attempts)"),
                Header("penstock-origin-topic", origin.source),
                Header("penstock-origin-partition", "\(origin.partition)"),
                Header("penstock-origin-offset", "\(origin.offset)"),
            ])
    }
}
