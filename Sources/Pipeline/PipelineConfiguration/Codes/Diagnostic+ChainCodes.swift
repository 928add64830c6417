public import ConfigurationDiagnostics
internal import PipelineCore

/// Chains that can't work although each of their stages is right.
extension Diagnostic.Code {
    /// A stage cannot stand where it does in the chain.
    public static let misplacedStage = Self(
        "misplaced-stage", "The stage can't stand at this place of the chain.",
        """
        A chain is a source, then transforms, at most one barrier, at most one worker, and sinks. A \
        source that does not stand first would read beside the chain; a transform behind a worker would \
        get outcomes, which only sinks take. Move the stage, or make two pipelines of the chain.
        """,
        example: .file(
            at: "stages[4]", #"{ "id": "again", "type": "dedupe", "key": "content" }"#))

    /// A stage cannot take what the one before hands on.
    public static let edgeMismatch = Self(
        "edge-mismatch", "The stage can't take what the one before it hands on.",
        """
        Stages hand on bytes, requests, events, batches of requests, or outcomes, and each takes some \
        of them. An ingest's codec decides what it yields. The hint says what the stage takes; put a \
        fitting stage between the two, or choose another codec.
        """,
        example: .file(at: "stages[0].codec", #""conversion-event""#))

    /// The chain has two barriers.
    public static let secondBarrier = Self(
        "second-barrier", "The chain has two barriers.",
        """
        A barrier settles everything before it and owns its batches; behind it there are no single \
        requests for a second one to collect. Publish to a topic, and let a second pipeline read that.
        """,
        example: .file(
            at: "stages[3]",
            """
            { "id": "again", "type": "accumulate", "store": "store", "trigger": { "max_age": "1h" } }
            """))

    /// A generator stands in a chain that collects nothing for it.
    public static let noBarrier = Self(
        "no-barrier", "No barrier collects requests for the worker.",
        """
        A worker answers batches, which an accumulate seals. Without one every chunk that happens to be \
        read would be a batch of its own, which is what batching is there to avoid. Put an accumulate in \
        front of it.
        """,
        example: .file(
            at: "stages[2]", #"{ "id": "batch", "type": "dedupe", "key": "content" }"#))

    /// Batches are sealed that nobody answers.
    public static let noWorker = Self(
        "no-worker", "Nobody answers the batches of the barrier.",
        """
        Sealed batches wait for a worker that takes them, and the chain has none: its cases would wait \
        for ever. Let a generate follow the accumulate.
        """,
        example: .file(
            at: "stages",
            """
            [ { "id": "requests", "type": "ingest", "codec": "report-request",
                "from": [ { "resource": "bus", "topic": "report-requests" } ] },
              { "id": "batch", "type": "accumulate", "store": "store", "trigger": { "max_age": "12h" } } ]
            """))

    /// What the chain reads goes nowhere.
    public static let noSink = Self(
        "no-sink", "What the chain reads goes nowhere.",
        """
        The chain ends without a worker or a sink, so that what it reads is settled and lost. End it \
        with a sink, such as publish.
        """,
        example: .file(
            at: "stages",
            """
            [ { "id": "requests", "type": "ingest",
                "from": [ { "resource": "bus", "topic": "report-requests" } ] } ]
            """))

    /// Two inputs of a stage are the same.
    public static let repeatedInput = Self(
        "repeated-input", "Two inputs of the pipeline are the same.",
        """
        A topic that is read twice by one group, or an API that two inputs take requests from, has its \
        records go one way or the other by chance. Remove one of the two; a topic is read faster by more \
        partitions and more workers.
        """,
        example: .file(
            at: "stages[0].from",
            """
            [ { "resource": "bus", "topic": "report-requests" },
              { "resource": "bus", "topic": "report-requests" } ]
            """))

    /// The pipeline writes to a topic that it reads.
    public static let topicLoop = Self(
        "topic-loop", "The pipeline writes to a topic that it reads.",
        """
        Every record that it writes would come in again, for ever. Two resources with one url are one \
        bus. Write to another topic.
        """,
        example: .file(at: "stages[4].topic", #""report-requests""#))

    /// A file is used for two things that do not go together.
    public static let fileConflict = Self(
        "file-conflict", "A file is used for two things that do not go together.",
        """
        What a pipeline writes to a file that is read would come in again, for ever; what it writes to \
        a database, or to the file where an input keeps its refused lines, would spoil that. Files are \
        the same whatever their paths look like: relative or absolute, through links or not. Two stages \
        that write to one file mix their lines: it works, and so this is a warning. Pipelines that are \
        given together are looked at together.
        """,
        example: .files([
            .init(
                at: "",
                """
                { "version": 1, "name": "copy", "resources": {
                    "in": { "url": "file:data/lines" }, "out": { "url": "file:./data/lines" } },
                  "stages": [
                    { "id": "read", "type": "ingest", "from": [ { "resource": "in" } ] },
                    { "id": "write", "type": "publish", "to": "out" } ] }
                """)
        ]))

    /// Pipelines hand records round in a circle.
    public static let topicCycle = Self(
        "topic-cycle", "Pipelines that are given together hand records round in a circle.",
        """
        One pipeline writes to a topic that another one reads, and from there the way leads back. Unless \
        a stage on the way drops records, each comes round for ever; since it may, this is a warning. \
        Only pipelines that are given together are looked at: name all that run on one bus.
        """,
        example: .files([
            .init(
                at: "stages",
                """
                [ { "id": "in", "type": "ingest", "from": [ { "resource": "bus", "topic": "left" } ] },
                  { "id": "out", "type": "publish", "to": "bus", "topic": "right" } ]
                """),
            .init(
                at: "stages",
                """
                [ { "id": "in", "type": "ingest", "from": [ { "resource": "bus", "topic": "right" } ] },
                  { "id": "out", "type": "publish", "to": "bus", "topic": "left" } ]
                """),
        ]))

    /// Callers' reads could be answered in more than one way, or in none.
    public static let ambiguousReads = Self(
        "ambiguous-reads", "Callers' reads could be answered in more than one way, or in none.",
        """
        Who sends a request by the API asks there for its outcome. The answer comes from the ledger of \
        the chain's accumulate and from the layout of its first cache. Without a ledger there is none, \
        and a second cache is never read. It works, and so this is a warning: it is rarely what was meant.
        """,
        example: .file(
            at: "stages",
            """
            [ { "id": "requests", "type": "ingest", "from": [ { "resource": "api" } ] },
              { "id": "forward", "type": "publish", "to": "bus", "topic": "report-requests" } ]
            """))
}

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
