public import ConfigurationFields
public import LocatedJSON
internal import PipelineCore

/// The rule that seals batches: a predicate over what has arrived since it last fired.
///
/// Each is monotone in time: for the same arrivals, what holds goes on holding until the batch is
/// sealed (and of `idle` alone, until more arrives). None is spent: as soon as cases wait again,
/// all are armed again. Nothing holds while nothing waits.
public indirect enum Trigger: Sendable, Hashable {
    /// As many cases wait.
    case count(Int)
    /// The oldest case has waited that long.
    case maxAge(Duration)
    /// For that long nothing has arrived, and nothing has been sealed.
    ///
    /// Repeats of known cases are no arrivals. On its own it may leave a case for ever: each
    /// arrival starts the time anew.
    case idle(Duration)
    /// A multiple of that period, counted from 1970-01-01T00:00:00Z, has passed since the oldest
    /// case arrived: `1h` at every full hour of UTC, `12h` at midnight and noon.
    ///
    /// The ticks stand still, as those of `cron` do: neither a firing nor a restart moves them, all
    /// processes agree on them, and no case waits longer than one period, whatever other triggers
    /// do. A tick while nothing waits passes; several missed ones are one.
    case every(Duration)
    /// A tick of the schedule has passed since the oldest case arrived. A tick while nothing waits
    /// passes; several missed ones are one.
    case cron(CronSchedule)
    /// The earliest deadline is no further away than that.
    case deadlineMargin(Duration)
    /// Somebody asked for it (`penstock flush`).
    case manual
    /// One of them holds.
    case any([Trigger])
    /// All of them hold.
    case all([Trigger])

    /// The name that `closed_by` keeps.
    public var name: String {
        switch self {
        case .count: "count"
        case .maxAge: "max_age"
        case .idle: "idle"
        case .every: "every"
        case .cron: "cron"
        case .deadlineMargin: "deadline_margin"
        case .manual: "manual"
        case .any: "any"
        case .all: "all"
        }
    }

    /// Whether somebody's asking can make it hold.
    public var isManual: Bool {
        if case .manual = self { return true }
        return parts.contains(where: \.isManual)
    }

    /// The reasons that it can give for a firing, as `closed_by` keeps them; of very many, some.
    public var reasons: [String] {
        var found: [String] = []
        switch self {
        case .any(let triggers): found = triggers.flatMap(\.reasons)
        case .all(let triggers):
            for part in triggers.map(\.reasons) {
                found =
                    found.isEmpty
                    ? part
                    : found.flatMap { head in part.map { "\(head)+\($0)" } }
                        .prefix(Self.mostReasons).map(\.self)
            }
        case .count, .maxAge, .idle, .every, .cron, .deadlineMargin, .manual: found = [name]
        }
        var seen: Set<String> = []
        return found.filter { seen.insert($0).inserted }
    }

    private static let mostReasons = 64

    /// What it is composed of.
    var parts: [Trigger] {
        switch self {
        case .any(let triggers), .all(let triggers): triggers
        case .count, .maxAge, .idle, .every, .cron, .deadlineMargin, .manual: []
        }
    }

    /// The rules of which one is enough, however deep an `any` stands in another.
    var alternatives: [Trigger] {
        if case .any(let triggers) = self { return triggers.flatMap(\.alternatives) }
        return [self]
    }
}

/// How long a rule may leave a case waiting.
extension Trigger {
    /// The shortest wait of one of them; ticks count together, since each may come in another's
    /// gap.
    private static func longestWait(ofAny triggers: [Trigger], sla: Duration) -> Duration? {
        guard let shortest = triggers.compactMap({ $0.longestWait(sla: sla) }).min() else {
            return nil
        }
        var ticks = MergedTicks(of: triggers)
        return ticks?.longestGap(within: shortest) ?? shortest
    }

    /// The longest that a case waits for the trigger, whatever else arrives; `nil` when nothing
    /// bounds it.
    ///
    /// - Parameter sla: how far away a case's deadline is at least when it arrives.
    public func longestWait(sla: Duration) -> Duration? {
        switch self {
        case .count(let count): count <= 1 ? .zero : nil
        case .maxAge(let age): age
        // Arrivals may go on for ever.
        case .idle: nil
        case .every(let period): period
        case .cron(let schedule): schedule.longestGap
        case .deadlineMargin(let margin): max(.zero, sla - margin)
        case .manual: nil
        case .any: Self.longestWait(ofAny: alternatives, sla: sla)
        case .all(let triggers):
            triggers.reduce(.zero as Duration?) { longest, trigger in
                guard let longest, let wait = trigger.longestWait(sla: sla) else { return nil }
                return max(longest, wait)
            }
        }
    }
}

extension Trigger: FieldValue {
    public static var kind: String { "a trigger" }
    private static let names = [
        "count", "max_age", "idle", "every", "cron", "deadline_margin", "manual", "any", "all",
    ]

    public static func decode(_ json: JSON, in context: DecodingContext) -> Trigger? {
        let isCron = json["cron"] != nil
        // The one form with a second key.
        let members = json.members?.filter { !(isCron && $0.key == "zone") }
        let form = JSON(members.map { .object($0) } ?? json.value, at: json.position)
        guard let (member, inner) = context.alternative(of: form, among: names, kind: kind)
        else { return nil }
        switch member.key {
        case "count":
            return positive(inner.decode(Int.self, from: member.value), member, inner).map(count)
        case "max_age", "idle", "every":
            let time = positive(inner.decode(Duration.self, from: member.value), member, inner)
            return time.map(member.key == "idle" ? idle : member.key == "every" ? every : maxAge)
        case "cron": return decodeCron(json, in: context)
        case "deadline_margin":
            return inner.decode(Duration.self, from: member.value).map(deadlineMargin)
        case "manual":
            guard let isWanted = inner.decode(Bool.self, from: member.value) else { return nil }
            if isWanted { return .manual }
            inner.report(
                .invalidValue, "\"manual\" can only be true", hint: "leave it out instead",
                at: member.value.position)
            return nil
        default:
            guard let triggers = inner.decode([Trigger].self, from: member.value) else {
                return nil
            }
            if triggers.isEmpty {
                inner.report(
                    .invalidValue, "an empty \"\(member.key)\" can never hold",
                    at: member.value.position)
                return nil
            }
            return member.key == "any" ? .any(triggers) : .all(triggers)
        }
    }

    /// `{"cron": "0 6 * * *", "zone": "Europe/Berlin"}`; without a zone it is UTC.
    private static func decodeCron(_ json: JSON, in context: DecodingContext) -> Trigger? {
        func value<Value: FieldValue>(_ key: String) -> Value? {
            json[key].flatMap { context.at(key).decode(Value.self, from: $0) }
        }
        let expression: CronExpression? = value("cron")
        let zone: TimeZone? = json["zone"] == nil ? .utc : value("zone")
        guard let expression, let zone else { return nil }
        return .cron(CronSchedule(expression, in: zone))
    }

    private static func positive<Value: Comparable & AdditiveArithmetic>(
        _ value: Value?, _ member: JSON.Member, _ context: DecodingContext
    ) -> Value? {
        guard let value else { return nil }
        if value > .zero { return value }
        context.report(
            .outOfRange, "\"\(member.key)\" must be greater than zero", at: member.value.position)
        return nil
    }

    public var json: JSON {
        switch self {
        case .count(let count): ["count": .number(count)]
        case .maxAge(let age): ["max_age": .string(age.text)]
        case .idle(let pause): ["idle": .string(pause.text)]
        case .every(let period): ["every": .string(period.text)]
        case .cron(let schedule):
            schedule.zone == .utc
                ? ["cron": .string(schedule.expression.text)]
                : [
                    "cron": .string(schedule.expression.text),
                    "zone": .string(schedule.zone.name),
                ]
        case .deadlineMargin(let margin): ["deadline_margin": .string(margin.text)]
        case .manual: ["manual": true]
        case .any(let triggers): ["any": .array(triggers.map(\.json))]
        case .all(let triggers): ["all": .array(triggers.map(\.json))]
        }
    }
}

/// How a trigger is written, for schemas.
extension Trigger {
    public static var schema: JSON { ["$ref": "#/$defs/trigger"] }

    public static var definitions: [String: JSON] {
        func form(_ key: String, _ value: JSON, _ description: String) -> JSON {
            [
                "type": "object", "required": [.string(key)], "additionalProperties": false,
                "description": .string(description), "properties": .object([(key, value)]),
            ]
        }
        let list: JSON = ["type": "array", "minItems": 1, "items": schema]
        return [
            "trigger": [
                "oneOf": [
                    form("count", written(Int.self, minimum: 1), "As many cases wait."),
                    form("max_age", written(Duration.self), "The oldest case has waited so long."),
                    form(
                        "idle", written(Duration.self),
                        "For so long nothing has arrived, and nothing been sealed."),
                    form(
                        "every", written(Duration.self),
                        "A multiple of the period since 1970 (UTC) has come since the oldest case."
                    ),
                    cron,
                    form(
                        "deadline_margin", written(Duration.self),
                        "The earliest deadline is no further away."),
                    form("manual", ["const": true], "Somebody asked: penstock flush."),
                    form("any", list, "One of these holds."),
                    form("all", list, "All of these hold."),
                ]
            ]
        ]
    }

    private static var cron: JSON {
        [
            "type": "object", "required": ["cron"], "additionalProperties": false,
            "description": "A time of the schedule has come since the oldest case.",
            "properties": [
                "cron": written(CronExpression.self), "zone": written(TimeZone.self),
            ],
        ]
    }

    private static func written<Value: FieldValue>(_: Value.Type, minimum: Int? = nil) -> JSON {
        var value = Value.schema.members?.map { ($0.key, $0.value) } ?? []
        if let minimum { value.append(("minimum", .number(minimum))) }
        return Schema.substitutable(.object(value))
    }
}
