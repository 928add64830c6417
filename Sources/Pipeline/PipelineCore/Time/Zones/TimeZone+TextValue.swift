public import Specification

extension TimeZone: TextValue {
    public static var kind: String { "time zone" }
    public static var schema: JSON {
        ["type": "string", "minLength": 1, "examples": ["Europe/Berlin", "UTC"]]
    }

    /// Reads a name of the system's database.
    public init(parsing text: String) throws(Refusal) {
        let database = TimeZoneDatabase.system
        if let zone = database.zone(named: text) {
            self = zone
            return
        }
        let names = database.names()
        guard !names.isEmpty else {
            throw Refusal(
                .invalidValue,
                "is not known: this machine has no time zones in \(database.folder)",
                hint: "install tzdata; \"UTC\" needs none")
        }
        let nearest = Suggestion.nearest(to: text, among: names)
        throw Refusal(
            .invalidValue, "is not a time zone",
            hint: nearest.map { "did you mean \(JSON.quoted($0))?" }
                ?? "write a name of the tz database: \"Europe/Berlin\", \"UTC\"")
    }

    public var text: String { name }
}
