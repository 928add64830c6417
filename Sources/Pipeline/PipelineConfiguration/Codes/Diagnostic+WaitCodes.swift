internal import PipelineCore
public import Specification

/// How long cases wait.
extension Diagnostic.Code {
    /// Nothing bounds how long a case waits.
    public static let unboundedWait = Self(
        "unbounded-wait", "Nothing bounds how long a case waits.",
        """
        The rule fires only if more arrives (count, idle) or somebody asks (manual), so that the last \
        case of a quiet day would wait for ever. Add a rule that fires by itself to an "any": max_age, \
        every, cron or deadline_margin.
        """,
        example: .file(at: "stages[2].trigger", #"{ "count": 512 }"#))

    /// A case may wait longer than promised.
    public static let slaExceeded = Self(
        "sla-exceeded", "A case may wait longer than the pipeline promises.",
        """
        The worst-case wait is the longest time until the trigger fires, the time until every process \
        has noticed, the generation's timeout, and what one failed run adds: the lease that a dead worker \
        leaves behind and a second run. It exceeds "sla". Fire earlier (a smaller max_age, a larger \
        deadline_margin), shorten lease or timeout, or promise less.
        """,
        example: .file(at: "stages[2].trigger", #"{ "max_age": "36h" }"#))

    /// How long a case waits at worst.
    public static let worstCaseWait = Self(
        "worst-case-wait", "How long a case waits at worst, and what is assumed.",
        """
        Not an objection: the figure that is compared with "sla", told for every pipeline that batches. \
        It sums up what the trigger, looking for work, and generation take, and what one failed run adds. \
        Assumed is that stores and buses can be reached, that a worker is free for each batch, and that \
        no more than one run of a batch fails. `penstock dry-run` shows what happens under a load.
        """,
        example: .file(
            at: "stages[2].trigger", #"{ "any": [ { "count": 512 }, { "max_age": "6h" } ] }"#))

    /// What can be wrong with a pipeline file as a whole, whatever stages there are.
    public static let pipelines: [Self] = [
        .duplicateID, .duplicateName, .unknownStage, .unknownScheme, .invalidAddress,
        .unknownResource, .wrongResource, .unusedResource,
        .misplacedStage, .edgeMismatch, .secondBarrier, .noBarrier, .noWorker, .noSink,
        .repeatedInput, .topicLoop, .topicCycle, .fileConflict, .ambiguousReads,
        .unboundedWait, .slaExceeded, .worstCaseWait,
        .missingStore, .unknownCodec, .unusedSetting,
    ]
}
