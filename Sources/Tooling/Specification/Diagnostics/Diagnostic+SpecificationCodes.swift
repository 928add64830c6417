extension Diagnostic.Code {
    /// What can be wrong with any document and any command line.
    public static let specification: [Self] = [
        .invalidJSON, .invalidUTF8, .tooLarge, .tooDeep, .duplicateKey,
        .unknownKey, .missingKey, .wrongType, .invalidValue, .outOfRange, .unknownEnvironment,
        .unreadableFile, .invalidSubstitution,
        .unknownCommand, .unknownOption, .missingOption, .missingValue, .missingArgument,
        .extraArgument, .repeatedOption, .conflictingOptions,
    ]
}
