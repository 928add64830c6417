public import ConfigurationDiagnostics
internal import PipelineCore

/// Chains that can't work although each of their stages is right.
extension Diagnostic.Code {
    /// A stage cannot stand where it does in the chain.
    public static let misplacedStage = Self(
        "misplaced-stage", "The stage can't stand at this place of the chain.",
        """
        A chain is a source, then transforms, at most one barrier, at most one worker, and sinks. \
        A source that does not stand first would read beside the chain; a transform behind a \
        worker would get outcomes, which only sinks take. Move the stage, or make two pipelines of \
        the chain.
        """,
        example: .file(
            at: "stages[4]", #"{ "id": "again", "type": "dedupe", "key": "content" }"#))

    /// A stage cannot take what the one before hands on.
    public static let edgeMismatch = Self(
        "edge-mismatch", "The stage can't take what the one before it hands on.",
        """
        Stages hand on bytes, requests, events, batches of requests, or outcomes, and each takes \
        some of them. An ingest's codec decides what it yields. The hint says what the stage \
        takes; put a fitting stage between the two, or choose another codec.
        """,
        example: .file(at: "stages[0].codec", #""conversion-event""#))

    /// The chain has two barriers.
    public static let secondBarrier = Self(
        "second-barrier", "The chain has two barriers.",
        """
        A barrier settles everything before it and owns its batches; behind it there are no single \
        requests for a second one to collect. Publish to a topic, and let a second pipeline read \
        that.
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
        A worker answers batches, which an accumulate seals. Without one every chunk that happens \
        to be read would be a batch of its own, which is what batching is there to avoid. Put an \
        accumulate in front of it.
        """,
        example: .file(
            at: "stages[2]", #"{ "id": "batch", "type": "dedupe", "key": "content" }"#))

    /// Batches are sealed that nobody answers.
    public static let noWorker = Self(
        "no-worker", "Nobody answers the batches of the barrier.",
        """
        Sealed batches wait for a worker that takes them, and the chain has none: its cases would \
        wait for ever. Let a generate follow the accumulate.
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
        The chain ends without a worker or a sink, so that what it reads is settled and lost. End \
        it with a sink, such as publish.
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
        A topic that is read twice by one group, or an API that two inputs take requests from, has \
        its records go one way or the other by chance. Remove one of the two; a topic is read \
        faster by more partitions and more workers.
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
        Every record that it writes would come in again, for ever. Two resources with one url are \
        one bus. Write to another topic.
        """,
        example: .file(at: "stages[4].topic", #""report-requests""#))

    /// A file is used for two things that do not go together.
    public static let fileConflict = Self(
        "file-conflict", "A file is used for two things that do not go together.",
        """
        What a pipeline writes to a file that is read would come in again, for ever; what it \
        writes to a database, or to the file where an input keeps its refused lines, would spoil \
        that. Files are the same whatever their paths look like: relative or absolute, through \
        links or not. Two stages that write to one file mix their lines: it works, and so this is \
        a warning. Pipelines that are given together are looked at together.
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
        One pipeline writes to a topic that another one reads, and from there the way leads back. \
        Unless a stage on the way drops records, each comes round for ever; since it may, this is \
        a warning. Only pipelines that are given together are looked at: name all that run on one \
        bus.
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
        Who sends a request by the API asks there for its outcome. The answer comes from the \
        ledger of the chain's accumulate and from the layout of its first cache. Without a ledger \
        there is none, and a second cache is never read. It works, and so this is a warning: it is \
        rarely what was meant.
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
        The rule fires only if more arrives (count, idle) or somebody asks (manual), so that the \
        last case of a quiet day would wait for ever. Add a rule that fires by itself to an "any": \
        max_age, every, cron or deadline_margin.
        """,
        example: .file(at: "stages[2].trigger", #"{ "count": 512 }"#))

    /// A case may wait longer than promised.
    public static let slaExceeded = Self(
        "sla-exceeded", "A case may wait longer than the pipeline promises.",
        """
        The worst-case wait is the longest time until the trigger fires, the time until every \
        process has noticed, the generation's timeout, and what one failed run adds: the lease \
        that a dead worker leaves behind and a second run. It exceeds "sla". Fire earlier (a \
        smaller max_age, a larger deadline_margin), shorten lease or timeout, or promise less.
        """,
        example: .file(at: "stages[2].trigger", #"{ "max_age": "36h" }"#))

    /// How long a case waits at worst.
    public static let worstCaseWait = Self(
        "worst-case-wait", "How long a case waits at worst, and what is assumed.",
        """
        Not an objection: the figure that is compared with "sla", told for every pipeline that \
        batches. It sums up what the trigger, looking for work, and generation take, and what one \
        failed run adds. Assumed is that stores and buses can be reached, that a worker is free \
        for each batch, and that no more than one run of a batch fails. `penstock dry-run` shows \
        what happens under a load.
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

/// Names that lead nowhere, or to the wrong thing.
extension Diagnostic.Code {
    /// Two stages have one id.
    public static let duplicateID = Self(
        "duplicate-id", "Two stages have one id.",
        """
        A stage's id owns its state: its consumer group, its batches in the ledger, its marks of \
        delivery. Two stages with one id would take each other's. Give the second one a name of \
        its own; the first keeps what it has.
        """,
        example: .file(
            at: "stages[5]", #"{ "id": "ready", "type": "cache", "in": "cache" }"#))

    /// Two pipelines have one name.
    public static let duplicateName = Self(
        "duplicate-name", "Two pipelines that are given together have one name.",
        """
        A pipeline's name owns its consumer groups and its ledger, so that two of one name would \
        consume and seal for each other. Rename one of them; a pipeline that is renamed begins \
        anew, the other one keeps its state.
        """,
        example: .files([
            .init(at: "name", #""conversion-reports""#),
            .init(at: "name", #""conversion-reports""#),
        ]))

    /// No stage of this type is in the catalogue.
    public static let unknownStage = Self(
        "unknown-stage", "There is no stage of this type.",
        """
        This program has the stages that `penstock stages` lists, and the type is none of them. A \
        stage of your own is added to the catalogue of a program of your own.
        """,
        example: .file(at: "stages[1]", #"{ "id": "unique", "type": "dedup" }"#))

    /// No connector knows this URL scheme.
    public static let unknownScheme = Self(
        "unknown-scheme", "No connector knows the scheme of this URL.",
        """
        What stands before the colon of a resource's url picks the connector, and none has this \
        name. `penstock stages` lists the connectors, each with an example.
        """,
        example: .file(at: "resources.bus.url", #""kafak://broker:9092""#))

    /// The connector cannot use this URL or these properties.
    public static let invalidAddress = Self(
        "invalid-address", "The connector can't use this URL or these properties.",
        """
        The scheme is known, but the rest of the URL, or a property beside it, is not what its \
        connector takes: a size without a unit, a port that is none, a property that the library \
        does not have. Nothing was connected to; only the writing was looked at.
        """,
        example: .file(at: "resources.cache.url", #""memory:64""#))

    /// A stage names a resource that is not declared.
    public static let unknownResource = Self(
        "unknown-resource", "A stage names a resource that is not declared.",
        """
        Stages reach the outside by the names under "resources", and this name is not among them. \
        Declare it there with its url, or correct the name.
        """,
        example: .file(at: "stages[4].to", #""buss""#))

    /// A stage names a resource of another kind than it needs.
    public static let wrongResource = Self(
        "wrong-resource", "The resource can't be used as what the stage needs.",
        """
        A connector offers certain kinds: kafka is a bus, postgres a store, redis a cache, \
        embedded a bus and a store. The stage needs another kind. With a "topic" a resource is \
        used as a bus, without one as a store, as lines or as an API. Name a fitting resource; the \
        hint lists them.
        """,
        example: .file(at: "stages[5].in", #""store""#))

    /// No stage names this resource.
    public static let unusedResource = Self(
        "unused-resource", "No stage uses this resource.",
        """
        It costs nothing and is never opened, so that this is a warning; but somebody may believe \
        that it is in use. Remove it, or name it where it was meant to be used.
        """,
        example: .file(at: "resources.spare", #"{ "url": "redis://cache:6379/1" }"#))
}
