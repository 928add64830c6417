internal import PipelineCore
internal import Specification

/// No pipeline writes to a topic that it reads: every record would come round for ever.
struct TopicCheck {
    let resources: [ResourceReading]
    let stages: [StageReading]
    let context: DecodingContext

    private struct Use {
        var stage: StageReading
        var topic: StageContract.TopicUse
    }

    func run() {
        let uses = stages.flatMap { stage in
            (stage.definition?.contract.topics ?? []).map { Use(stage: stage, topic: $0) }
        }
        let reads = uses.filter { $0.topic.direction == .reads }
        for write in uses where write.topic.direction == .writes {
            guard let read = reads.first(where: { isSame($0.topic, write.topic) }) else { continue }
            write.stage.report(
                .topicLoop,
                "\(OrderCheck.shown(write.stage)) writes to the topic "
                    + "\(JSON.quoted(write.topic.topic)), which \(OrderCheck.shown(read.stage)) "
                    + "reads", hint: "every record would come round for ever; use another topic",
                field: write.topic.field, in: context)
        }
    }

    /// Two names may lead to one bus.
    private func isSame(_ left: StageContract.TopicUse, _ right: StageContract.TopicUse) -> Bool {
        guard left.topic == right.topic else { return false }
        if left.resource == right.resource { return true }
        let buses = [left.resource, right.resource].map { name in
            resources.first { $0.name == name }?.definition?.identity
        }
        return buses[0] != nil && buses[0] == buses[1]
    }
}
