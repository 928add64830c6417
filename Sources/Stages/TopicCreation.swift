internal import Specification

/// How a missing topic is created.
struct TopicCreation: Settings {
    static let summary = "How a topic that is not there is created."
    let partitions: Int
    init(_ field: Fields) {
        partitions = field(
            "partitions", "How many partitions a new topic gets.", default: 1, in: 1...1000)
    }
}
