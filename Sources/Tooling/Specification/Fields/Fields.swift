/// What a settings' initializer reads its fields from, see ``Settings``.
public final class Fields {
    enum Source {
        case nothing
        case document([JSON.Member], Position?, DecodingContext)
        case arguments(Arguments, DecodingContext)
    }

    enum Outcome<Value> {
        case value(Value)
        case absent
        case refused
        /// Given by a variable or file that is not there, where settings are only looked at.
        case unresolved
    }

    let source: Source
    private(set) var described: [Field] = []
    private(set) var hasFailed = false
    /// How many of a command line's arguments have been read.
    var argumentsRead = 0
    /// Whether a field has taken every key that no other reads.
    var takesRest = false

    init(_ source: Source) { self.source = source }

    var context: DecodingContext? {
        switch source {
        case .nothing: nil
        case .document(_, _, let context), .arguments(_, let context): context
        }
    }

    func describe(_ field: Field) { described.append(field) }
    func fail() { hasFailed = true }

    /// Refuses what was given and no field has read.
    func refuseUnknown(besides others: [String] = []) {
        switch source {
        case .nothing: break
        case .document(let members, _, let context):
            guard !takesRest else { return }
            let known = described.map(\.key) + others
            for member in members where !known.contains(member.key) {
                context.at(member.key).reportUnknownKey(member, among: known)
                fail()
            }
        case .arguments(let arguments, let context):
            for extra in arguments.positionals.dropFirst(argumentsRead) {
                context.report(
                    .extraArgument, "\(JSON.quoted(extra)) is one argument too many", at: nil)
                fail()
            }
        }
    }
}
