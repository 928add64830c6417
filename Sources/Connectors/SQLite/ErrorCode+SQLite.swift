package import PipelineCore

/// What SQLite alone throws.
extension ErrorCode {
    package static let foreignDatabase = ErrorCode(
        "foreign-database", .unavailable, "The file is a database of another program.",
        remedy: "Name another file.")
    package static let notADatabase = ErrorCode(
        "not-a-database", .unavailable, "The file is not an SQLite database.",
        remedy: "Name another file, or move this one away.")
    package static let schemaNewer = ErrorCode(
        "schema-newer", .unavailable,
        "An embedded store was written by a later version of the program.",
        remedy: "Use that version, or another file.")
    package static let storeCorrupt = ErrorCode(
        "store-corrupt", .unavailable, "The embedded store is damaged.",
        remedy: "Restore a backup, or save what can be read: sqlite3 FILE .recover")
    package static let storeError = ErrorCode(
        "store-error", .failure, "SQLite reports an error of no known kind.",
        remedy: "Read its message.")
    package static let storeInUse = ErrorCode(
        "store-in-use", .unavailable, "Another `run` works on the embedded store.",
        remedy: "Stop it first; the message names it.")
    package static let storeIOError = ErrorCode(
        "store-io-error", .passing, "The disk of the embedded store fails.",
        remedy: "Look at the disk and at the system's log.")
    package static let storeLinked = ErrorCode(
        "store-linked", .unavailable, "The embedded store's file has several names (hard links).",
        remedy: "Remove the others, or make a copy.")
    package static let storeNotWritable = ErrorCode(
        "store-not-writable", .unavailable,
        "The embedded store's file or folder can't be written to.",
        remedy: "Give this user the rights to both.")
    package static let storeReplaced = ErrorCode(
        "store-replaced", .unavailable,
        "The embedded store's file was deleted or replaced while it was in use.",
        remedy: "Bring the file back, or start anew with what is there.")
    package static let unknownTopic = ErrorCode(
        "unknown-topic", .unavailable, "The embedded bus has no such topic.",
        remedy: "Add \"create\" to the input.")

    /// All of these, for the catalogue.
    package static let ofSQLite: [ErrorCode] = [
        .foreignDatabase, .notADatabase, .schemaNewer, .storeCorrupt, .storeError, .storeInUse,
        .storeIOError, .storeLinked, .storeNotWritable, .storeReplaced, .unknownTopic,
    ]
}
