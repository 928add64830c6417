internal import PipelineCore
public import Specification

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
