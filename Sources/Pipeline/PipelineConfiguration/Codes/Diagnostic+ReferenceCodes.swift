public import ConfigurationDiagnostics

/// Names that lead nowhere, or to the wrong thing.
extension Diagnostic.Code {
    /// Two stages have one id.
    public static let duplicateID = Self(
        "duplicate-id", "Two stages have one id.",
        """
        A stage's id owns its state: its consumer group, its batches in the ledger, its marks of \
        delivery. Two stages with one id would take each other's. Give the second one a name of its \
        own; the first keeps what it has.
        """,
        example: .file(
            at: "stages[5]", #"{ "id": "ready", "type": "cache", "in": "cache" }"#))

    /// Two pipelines have one name.
    public static let duplicateName = Self(
        "duplicate-name", "Two pipelines that are given together have one name.",
        """
        A pipeline's name owns its consumer groups and its ledger, so that two of one name would \
        consume and seal for each other. Rename one of them; a pipeline that is renamed begins anew, \
        the other one keeps its state.
        """,
        example: .files([
            .init(at: "name", #""conversion-reports""#),
            .init(at: "name", #""conversion-reports""#),
        ]))

    /// No stage of this type is in the catalogue.
    public static let unknownStage = Self(
        "unknown-stage", "There is no stage of this type.",
        """
        This program has the stages that `penstock stages` lists, and the type is none of them. A stage \
        of your own is added to the catalogue of a program of your own.
        """,
        example: .file(at: "stages[1]", #"{ "id": "unique", "type": "dedup" }"#))

    /// No connector knows this URL scheme.
    public static let unknownScheme = Self(
        "unknown-scheme", "No connector knows the scheme of this URL.",
        """
        What stands before the colon of a resource's url picks the connector, and none has this name. \
        `penstock stages` lists the connectors, each with an example.
        """,
        example: .file(at: "resources.bus.url", #""kafak://broker:9092""#))

    /// The connector cannot use this URL or these properties.
    public static let invalidAddress = Self(
        "invalid-address", "The connector can't use this URL or these properties.",
        """
        The scheme is known, but the rest of the URL, or a property beside it, is not what its \
        connector takes: a size without a unit, a port that is none, a property that the library does \
        not have. Nothing was connected to; only the writing was looked at.
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
        A connector offers certain kinds: kafka is a bus, postgres a store, redis a cache, embedded a \
        bus and a store. The stage needs another kind. With a "topic" a resource is used as a bus, \
        without one as a store, as lines or as an API. Name a fitting resource; the hint lists them.
        """,
        example: .file(at: "stages[5].in", #""store""#))

    /// No stage names this resource.
    public static let unusedResource = Self(
        "unused-resource", "No stage uses this resource.",
        """
        It costs nothing and is never opened, so that this is a warning; but somebody may believe that \
        it is in use. Remove it, or name it where it was meant to be used.
        """,
        example: .file(at: "resources.spare", #"{ "url": "redis://cache:6379/1" }"#))
}
