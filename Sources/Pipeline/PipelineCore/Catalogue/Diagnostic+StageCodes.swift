public import Specification

/// What stages of several authors object to.
extension Diagnostic.Code {
    /// A stage keeps or reads something in a store, and names none.
    public static let missingStore = Self(
        "missing-store", "The stage needs a store and names none.",
        """
        An accumulate keeps its cases in a "store", so that none is lost whatever is killed, and a \
        generator that counts events reads them from one. Name a resource that is a store. Only an \
        accumulate can do without, and says so: with "durability": "none" it keeps batches in memory \
        and leaves their inputs unsettled, to be read again after a crash.
        """,
        example: .file(
            at: "stages[2]",
            #"{ "id": "batch", "type": "accumulate", "trigger": { "max_age": "12h" } }"#))

    /// A stage names a codec that does not exist, or does not do what the stage needs.
    public static let unknownCodec = Self(
        "unknown-codec", "There is no such codec for what the stage does.",
        """
        Some codecs read payloads (report-request), others render outcomes (report-ready); this name is \
        none of those that the stage can use. `penstock stages` lists all codecs.
        """,
        example: .file(at: "stages[0].codec", #""report-requst""#))

    /// A setting has no effect beside the others.
    public static let unusedSetting = Self(
        "unused-setting", "The setting has no effect beside the others.",
        """
        It is a setting of the stage, but another one switches off what it is for: a store beside \
        "durability": "none", a topic's "create" without a "topic". Whoever wrote it expects something of \
        it. Leave one of the two out.
        """,
        example: .file(at: "stages[0].from[1]", #"{ "resource": "api", "group": "callers" }"#))
}

extension StageContract.Objection {
    /// The objection to a setting that has no effect.
    public static func unusedSetting(
        _ field: String, _ message: String, hint: String? = "leave it out"
    ) -> Self {
        .init(field: field, code: .unusedSetting, message, hint: hint)
    }

    /// The objection to a codec, if it is not one of those that do what the stage needs.
    ///
    /// - Parameters:
    ///   - purpose: what it is for, such as `to read with`.
    ///   - isFit: whether a codec does what the stage needs.
    public static func unknownCodec(
        _ name: String, _ purpose: String, in catalogue: Catalogue, where isFit: (Codec) -> Bool
    ) -> Self? {
        let names = catalogue.codecs.filter(isFit).map(\.name)
        if names.contains(name) { return nil }
        return .init(
            field: "codec", code: .unknownCodec,
            "there is no codec \(JSON.quoted(name)) \(purpose)",
            hint: Suggestion.hint(for: name, among: names))
    }
}
