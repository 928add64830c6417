internal import ConfigurationFields
internal import LocatedJSON

/// A code that stands in brackets behind the message of an error at run time: `[store-in-use]`.
struct RunTimeCode {
    /// What becomes of the process.
    enum Ending: String {
        /// It is tried again and again; a command that can't wait gives up.
        case passing =
            "It is tried again until it passes; a command that can't wait exits with 69."
        /// One record is refused, and everything else goes on.
        case record = "That record is refused, with this code in its dead letter; the rest goes on."
        case failure = "The command ends with exit code 1."
        case unavailable =
            "The command ends with exit code 69: the files are in order, but here they can't run."
        case outputFailed = "The command ends with exit code 74."
        case outputClosed = "The command ends with exit code 141, without a word."
    }

    let code: String
    /// What has happened, a sentence.
    let meaning: String
    /// What to do about it.
    let remedy: String
    let ending: Ending

    init(_ code: String, _ ending: Ending, _ meaning: String, _ remedy: String) {
        self.code = code
        self.ending = ending
        self.meaning = meaning
        self.remedy = remedy
    }

    /// Every code that an error can have and no diagnostic has, by name.
    static let all = (stores + others).sorted { $0.code < $1.code }

    private static let others: [RunTimeCode] = [
        .init(
            "abandoned", .passing,
            "A request was let go because its caller had given up before it was taken in.",
            "Nothing."),
        .init(
            "acceptance-unknown", .passing,
            "The store did not answer in time while a request was being stored.",
            "Send it again with the same case_id: it is taken in once."),
        .init(
            "address-in-use", .unavailable,
            "Another process listens on the address already.",
            "Stop it, or choose another port; `penstock dry-run` names the process."),
        .init(
            "ambiguous-api", .failure,
            "Two inputs take requests from one API.",
            "Give each an address of its own."),
        .init(
            "bus-authentication", .unavailable,
            "The broker refuses the login.",
            "Check the user, the password and security.protocol."),
        .init(
            "bus-busy", .passing,
            "The broker has no room for now.",
            "Nothing if it passes; else look at the broker's load and quotas."),
        .init(
            "bus-error", .passing,
            "The Kafka library reports an error of no known kind.",
            "Read its message; it is tried again."),
        .init(
            "bus-fenced", .passing,
            "Another client has taken this one's place.",
            "See that no two processes use one group instance or transaction."),
        .init(
            "bus-forbidden", .unavailable,
            "The broker does not allow what was asked for.",
            "Grant the user the right; the message names the topic or group."),
        .init(
            "bus-timeout", .passing,
            "The broker did not answer in time.",
            "Look at the network and the broker's load."),
        .init(
            "bus-unavailable", .passing,
            "No broker can be reached.",
            "Check the address, and whether the broker runs."),
        .init(
            "bus-unsupported", .unavailable,
            "The broker or the library can't do what was asked for.",
            "Use a newer one, or leave the property out."),
        .init(
            "bus-unusable", .unavailable,
            "Kafka's client library can't work with these properties.",
            "Correct the property that the message names."),
        .init(
            "cannot-listen", .unavailable,
            "The address can't be listened on.",
            "Name an address of this machine, and a port that this user may use."),
        .init(
            "codec-mismatch", .failure,
            "A codec handed on a record without a case id.",
            "Correct the codec: it gives each record its case id, or refuses it."),
        .init(
            "conflict", .record,
            "A request has the id of another one with other parameters.",
            "Send it under a new case_id; the first one stands."),
        .init(
            "consumer-closed", .failure,
            "A consumer was used after its end.",
            "Report it: the program is at fault."),
        .init(
            "dead-letters-refused", .passing,
            "Neither the topic of dead letters nor the store or file behind it takes a dead letter.",
            "Mend one of them; that partition rests meanwhile, the others go on."),
        .init(
            "deadline-passed", .record,
            "A request's deadline had passed when it was sent.",
            "Send it again with a later deadline, or without one."),
        .init(
            "dropped", .passing,
            "Records were let go before they had settled.",
            "Nothing: they are read again."),
        .init(
            "file-unusable", .unavailable,
            "A file of lines can't be opened, read or written.",
            "Check the path, the rights of this user, and the space on the disk."),
        .init(
            "generation-timeout", .passing,
            "A generation run took longer than the stage's timeout.",
            "Raise \"timeout\", make batches smaller, or look at the store's load."),
        .init(
            "generator-mismatch", .failure,
            "A generator answered another number of cases than its batch has.",
            "Correct the generator: one answer a case, in order."),
        .init(
            "generator-unavailable", .passing,
            "No generator of the stage's addresses can be reached.",
            "Start `penstock generate` there, or correct the addresses; batches wait meanwhile."),
        .init(
            "group-rebalancing", .passing,
            "The consumer group is dividing its partitions anew.",
            "Nothing."),
        .init(
            "invalid-argument", .record,
            "A request or an event has a field with a wrong value.",
            "Correct the field that the reason names, and send it again."),
        .init(
            "invalid-parameters", .record,
            "A case's stored parameters can't be read by this generator.",
            "See that the generator has the version of the program that took the case."),
        .init(
            "invalid-property", .failure,
            "A connector's property has a value that its library refuses.",
            "Correct the property that the message names."),
        .init(
            "invalid-resource", .failure,
            "A resource's URL has a part that its connector does not take.",
            "Correct it; `penstock validate` says where."),
        .init(
            "invalid-url", .failure,
            "A URL is not one of its connector.",
            "Correct it; `penstock stages` shows an example of each."),
        .init(
            "line-too-long", .unavailable,
            "A line of a file is longer than 8 MiB.",
            "See that the file has one record a line."),
        .init(
            "malformed", .record,
            "A payload is neither JSON nor protobuf of the expected message.",
            "Look at the dead letter: who sends this?"),
        .init(
            "no-input", .failure,
            "A dry run found no input to feed.",
            "Give the pipeline an ingest with an input."),
        .init(
            "no-manual-trigger", .failure,
            "The stage's rule has no `manual` trigger, so that a flush would change nothing.",
            "Add { \"manual\": true } to an \"any\" of the rule, and run the file."),
        .init(
            "no-thread", .failure,
            "The system gives no further thread.",
            "Raise the limit of processes for this user (ulimit -u)."),
        .init(
            "not-accepted", .passing,
            "A request was not taken in within the time that its caller is kept waiting.",
            "Send it again; the message says what the store said."),
        .init(
            "not-handed-over", .passing,
            "Records could not be handed to the chain, which is stopping.",
            "Nothing: they are read again."),
        .init(
            "output-closed", .outputClosed,
            "The reader of standard output has gone.",
            "Nothing: what a ledger holds is delivered by the next run."),
        .init(
            "output-failed", .outputFailed,
            "Standard output can't be written to.",
            "Make room on its disk, or send it elsewhere."),
        .init(
            "overloaded", .passing,
            "More requests or reads wait than the process holds.",
            "Ask again later; more processes take more."),
        .init(
            "producer-broken", .passing,
            "The Kafka producer can't go on.",
            "Nothing: the next message makes a new one."),
        .init(
            "producer-closed", .failure,
            "A producer was used after its end.",
            "Report it: the program is at fault."),
        .init(
            "record-refused", .record,
            "The broker refuses a record for good.",
            "Read its reason in the dead letter."),
        .init(
            "record-too-large", .record,
            "A record is larger than its topic takes.",
            "Raise max.message.bytes of the topic, or send less."),
        .init(
            "rehearsal-failed", .failure,
            "The pipeline gave up in a dry run's simulation.",
            "Read the reason behind it."),
        .init(
            "replicas-missing", .passing,
            "A topic has fewer in-sync replicas than min.insync.replicas.",
            "Bring its brokers back."),
        .init(
            "reserved-property", .failure,
            "A Kafka property is set that the program sets by itself.",
            "Leave it out; the message says why."),
        .init(
            "shutting-down", .passing,
            "The process stops and takes nothing more.",
            "Ask again: another process, or this one after its start."),
        .init(
            "sink-mismatch", .failure,
            "A sink refused a case that it was not given.",
            "Correct the sink: it refuses cases of the batch that it delivers."),
        .init(
            "topic-invalid", .failure,
            "A topic's name is not one that the broker takes.",
            "Letters, digits, dot, dash and underscore, at most 249."),
        .init(
            "topic-missing", .unavailable,
            "The topic is not there.",
            "Create it, or add \"create\" to the input."),
        .init(
            "topic-recreated", .passing,
            "A topic is not the one that was read before: it was made anew, or has lost records.",
            "Nothing of it is read until \"on_new_topic\": \"from_start\" says so, or the old one is back."
        ),
        .init(
            "unknown-property", .failure,
            "The Kafka library has no such property, or not in this version.",
            "Correct its name; the message says which version has it."),
        .init(
            "unknown-topic", .unavailable,
            "The embedded bus has no such topic.",
            "Add \"create\" to the input."),
        .init(
            "unreadable-outcome", .failure,
            "A stored outcome can't be rendered.",
            "Was it written by a newer version of the program? Use that."),
        .init(
            "unsupported-content-type", .record,
            "A record's content-type is neither JSON nor protobuf.",
            "Send application/json or application/x-protobuf."),
        .init(
            "wrong-kind", .failure,
            "A store was handed records that it has no table for.",
            "Publish events to it, and nothing else."),
    ]
}

extension RunTimeCode {
    func rendered(as format: Explanation.Format) -> String {
        switch format {
        case .text:
            """
            \(code): \(meaning)

            \(PlainText.wrapped("To do: \(remedy)"))

            \(PlainText.wrapped(ending.rawValue))

            """
        case .markdown:
            """
            ## \(code)

            \(meaning) To do: \(remedy) \(ending.rawValue)

            """
        case .json: json.written(.pretty) + "\n"
        }
    }

    var json: JSON {
        [
            "code": .string(code), "summary": .string(meaning), "explanation": .string(remedy),
            "ending": .string(ending.rawValue),
        ]
    }
}
