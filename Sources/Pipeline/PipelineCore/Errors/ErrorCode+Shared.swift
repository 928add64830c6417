/// What more than one module throws or asks for, or the core throws for others.
extension ErrorCode {
    public static let addressInUse = ErrorCode(
        "address-in-use", .unavailable, "Another process listens on the address already.",
        remedy: "Stop it, or choose another port; `penstock dry-run` names the process.")
    public static let busAuthentication = ErrorCode(
        "bus-authentication", .unavailable, "The broker refuses the login.",
        remedy: "Check the user, the password and security.protocol.")
    public static let busUnavailable = ErrorCode(
        "bus-unavailable", .passing, "No broker can be reached.",
        remedy: "Check the address, and whether the broker runs.")
    public static let cacheEntryTooLarge = ErrorCode(
        "cache-entry-too-large", .record, "An entry is larger than the cache takes.",
        remedy: "Give the cache more memory; the answer is read from the store meanwhile.")
    public static let cacheUnavailable = ErrorCode(
        "cache-unavailable", .passing, "Redis can't be reached.",
        remedy: "Nothing is lost: reads go to the store. Check the address, and whether Redis runs."
    )
    public static let cannotListen = ErrorCode(
        "cannot-listen", .unavailable, "The address can't be listened on.",
        remedy: "Name an address of this machine, and a port that this user may use.")
    public static let codecMismatch = ErrorCode(
        "codec-mismatch", .failure, "A codec handed on a record without a case id.",
        remedy: "Correct the codec: it gives each record its case id, or refuses it.")
    public static let conflict = ErrorCode(
        "conflict", .record, "A request has the id of another one with other parameters.",
        remedy: "Send it under a new case_id; the first one stands.")
    public static let deadLettersRefused = ErrorCode(
        "dead-letters-refused", .passing,
        "Neither the topic of dead letters nor the store or file behind it takes a dead letter.",
        remedy: "Mend one of them; that partition rests meanwhile, the others go on.")
    public static let dropped = ErrorCode(
        "dropped", .passing, "Records were let go before they had settled.",
        remedy: "Nothing: they are read again.")
    public static let generationTimeout = ErrorCode(
        "generation-timeout", .passing, "A generation run took longer than the stage's timeout.",
        remedy: "Raise \"timeout\", make batches smaller, or look at the store's load.")
    public static let generatorMismatch = ErrorCode(
        "generator-mismatch", .failure,
        "A generator answered another number of cases than its batch has.",
        remedy: "Correct the generator: one answer a case, in order.")
    public static let invalidArgument = ErrorCode(
        "invalid-argument", .record, "A request or an event has a field with a wrong value.",
        remedy: "Correct the field that the reason names, and send it again.")
    public static let invalidParameters = ErrorCode(
        "invalid-parameters", .record,
        "A case's stored parameters can't be read by this generator.",
        remedy: "See that the generator has the version of the program that took the case.")
    public static let invalidResource = ErrorCode(
        "invalid-resource", .failure,
        "A resource's URL has a part that its connector does not take.",
        remedy: "Correct it; `penstock validate` says where.")
    public static let cacheMismatch = ErrorCode(
        "cache-mismatch", .failure, "A cache answered another number of values than it was asked.",
        remedy: "Correct the cache: it answers each key, in order, a miss included.")
    public static let intakePaused = ErrorCode(
        "intake-paused", .passing,
        "An operator has paused the stage that takes requests in: nothing was accepted.",
        remedy:
            "Ask again later; `penstock batches` says who paused it and why, `penstock resume` ends it."
    )
    public static let noManualTrigger = ErrorCode(
        "no-manual-trigger", .failure,
        "The stage's rule has no `manual` trigger, so that a flush would change nothing.",
        remedy: "Add { \"manual\": true } to an \"any\" of the rule, and run the file.")
    public static let noThread = ErrorCode(
        "no-thread", .passing, "The system gives no further thread.",
        remedy: "Raise the limit of processes for this user (ulimit -u).")
    public static let overloaded = ErrorCode(
        "overloaded", .passing, "More requests or reads wait than the process holds.",
        remedy: "Ask again later; more processes take more.")
    public static let positionMoved = ErrorCode(
        "position-moved", .takenOver, "Another process has read on from the stored position.",
        remedy: "Nothing: this process gives the partition up.")
    public static let producerClosed = ErrorCode(
        "producer-closed", .failure, "A producer was used after its end.",
        remedy: "Report it: the program is at fault.")
    public static let recordTooLarge = ErrorCode(
        "record-too-large", .record, "A record is larger than its topic takes.",
        remedy: "Raise max.message.bytes of the topic, or send less.")
    public static let replicasMissing = ErrorCode(
        "replicas-missing", .passing,
        "A topic has fewer in-sync replicas than min.insync.replicas.",
        remedy: "Bring its brokers back.")
    public static let shuttingDown = ErrorCode(
        "shutting-down", .passing, "The process stops and takes nothing more.",
        remedy: "Ask again: another process, or this one after its start.")
    public static let stateOwned = ErrorCode(
        "state-owned", .unavailable,
        "What is to take over another one's state has some of its own, or is of another kind.",
        remedy:
            "Let one of the two run out under its own name, or end it by `penstock migrate --abandon`; name what is of the same kind."
    )
    public static let stateUnowned = ErrorCode(
        "state-unowned", .unavailable,
        "The store keeps something of a stage or sink that the files no longer name.",
        remedy:
            "Move it by `penstock migrate --rename`, or end it by `--abandon`; the message says what."
    )
    public static let storeBusy = ErrorCode(
        "store-busy", .passing, "The store has no connection, or no lock, to give.",
        remedy:
            "Lower \"connections\" or raise max_connections; of a file, see who else has it open.")
    public static let storeChanged = ErrorCode(
        "store-changed", .unavailable,
        "The tables were made by a step whose text has changed since.",
        remedy: "Use the build that made them, or one that leaves old steps as they were.")
    public static let storeConflict = ErrorCode(
        "store-conflict", .passing, "Two transactions got into each other's way.",
        remedy: "Nothing: it is tried again.")
    public static let storeConstraint = ErrorCode(
        "store-constraint", .record, "The store refuses a row by a constraint.",
        remedy: "Read its message; report it if the tables are ours alone.")
    public static let storeDamaged = ErrorCode(
        "store-damaged", .passing, "A row of the ledger holds what Penstock does not write.",
        remedy: "Find out who else writes to the store; mend the row, or restore it from a backup.")
    public static let storeData = ErrorCode(
        "store-data", .record, "The store can't take a value.",
        remedy: "Read its message: which value, and why?")
    public static let storeFull = ErrorCode(
        "store-full", .passing, "The store's disk is full.",
        remedy: "Free some space; everything waits meanwhile.")
    public static let storeSchema = ErrorCode(
        "store-schema", .unavailable, "Tables are missing, or are older than the program.",
        remedy: "Run `penstock migrate`.")
    public static let storeUnavailable = ErrorCode(
        "store-unavailable", .passing, "The store can't be reached.",
        remedy: "Check the address, and whether the server runs.")
    public static let tooLarge = ErrorCode(diagnostic: "too-large", .record)
    public static let topicInvalid = ErrorCode(
        "topic-invalid", .failure,
        "A topic's name, or its number of partitions, is not one that the broker takes.",
        remedy: "Letters, digits, dot, dash and underscore, at most 249; one partition or more.")
    public static let topicMissing = ErrorCode(
        "topic-missing", .passing, "The topic is not there.",
        remedy: "Create it, or add \"create\" to the input.")
    public static let topicRecreated = ErrorCode(
        "topic-recreated", .passing,
        "A topic is not the one that was read before: it was made anew, or has lost records.",
        remedy:
            "Nothing of it is read until \"on_new_topic\": \"from_start\" says so, or the old one is back."
    )
    public static let unknownScheme = ErrorCode(diagnostic: "unknown-scheme", .failure)
    public static let webhookUnavailable = ErrorCode(
        "webhook-unavailable", .passing,
        "The receiver of a webhook can't be reached, or says that it takes no calls now.",
        remedy:
            "Nothing is lost: the calls are made again. Check the URL, and whether the receiver runs."
    )
    public static let wrongResource = ErrorCode(diagnostic: "wrong-resource", .failure)

    /// All of these, for the catalogue.
    public static let ofCore: [ErrorCode] = [
        .addressInUse, .busAuthentication, .busUnavailable, .cacheEntryTooLarge, .cacheUnavailable,
        .cannotListen, .codecMismatch, .conflict, .deadLettersRefused, .dropped, .generationTimeout,
        .generatorMismatch, .invalidArgument, .invalidParameters,
        .cacheMismatch, .intakePaused, .invalidResource, .noManualTrigger, .noThread, .overloaded,
        .positionMoved,
        .producerClosed,
        .recordTooLarge, .replicasMissing, .shuttingDown, .stateOwned, .stateUnowned, .storeBusy,
        .storeChanged, .storeConflict, .storeConstraint, .storeDamaged, .storeData, .storeFull,
        .storeSchema, .storeUnavailable, .tooLarge, .topicInvalid, .topicMissing, .topicRecreated,
        .unknownScheme, .webhookUnavailable,
        .wrongResource,
    ]
}
