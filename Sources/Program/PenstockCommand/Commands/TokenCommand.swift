internal import Calendar
internal import CommandLineInterface
internal import ConfigurationFields
internal import Identity
internal import LocatedJSON

extension Fields {
    fileprivate var tokenFile: String {
        self(
            "file", "The file of tokens, as a pipeline's API names it.",
            example: "/etc/penstock/tokens.json")
    }
}

private struct CreateTokenOptions: Settings {
    enum RoleName: String, Choice { case requester, reader, `operator`, admin }

    static let summary = "Makes a token and prints it, once."
    let file: String
    let subject: String
    private let role: RoleName
    let expiresIn: Duration?

    init(_ field: Fields) {
        file = field.tokenFile
        subject = field("subject", "Who calls with it.", example: "ada") {
            Caller.objection(to: $0)
        }
        role = field(
            "role",
            "What it allows: requester (own cases), reader (reads all), operator and admin (everything).",
            example: .requester)
        expiresIn = field.optional(
            "expires_in", "How long it is good; for ever without.", example: .seconds(86_400 * 90),
            in: .seconds(1) ... .seconds(86_400 * 36_500))
    }

    var caller: Caller {
        Caller(subject: subject, role: Role(rawValue: role.rawValue) ?? .requester)
    }
}

private struct ListTokensOptions: Settings {
    enum Format: String, Choice { case text, json }

    static let summary = "Lists whose tokens there are, without their secrets."
    let file: String
    let format: Format

    init(_ field: Fields) {
        file = field.tokenFile
        format = field(
            "format", "How they are printed; json has an object a line.", default: .text)
    }
}

private struct RevokeTokenOptions: Settings {
    static let summary = "Takes a token out of the file."
    let file: String
    let id: String

    init(_ field: Fields) {
        file = field.tokenFile
        id = field.argument("ID", "The token's id, as `list` shows it.", example: "5f1d04c9a37b")
    }
}

extension PenstockCommand {
    static let token = Command(
        "token", "Makes, lists and revokes the tokens that callers of an API show.",
        details: """
            The API of a pipeline whose resource has "tokens": "FILE" lets in nobody else. The \
            file keeps no token, but a digest of each; whoever runs the pipeline has to be able to \
            read it. A change counts within a second of the next call, without a restart.
            """,
        examples: [
            .init(
                "create --file tokens.json --subject ada --role requester > ada.token",
                "For `penstock report --token-file ada.token …`."),
            .init("revoke --file tokens.json 5f1d04c9a37b", "It lets nobody in any more."),
        ],
        commands: [createToken, listTokens, revokeToken])

    private static let createToken = Command(
        "create", CreateTokenOptions.self,
        details: """
            Nobody can print it a second time. The file is made if it is not there, and is for its \
            owner's eyes only.
            """,
        examples: [
            .init("--file tokens.json --subject ada --role requester", "Own cases, for ever."),
            .init(
                "--file tokens.json --subject grafana --role reader --expires-in 90d",
                "Reads every case for three months."),
        ]
    ) { options, console in
        let lifetime = options.expiresIn.map { max(1, $0.wholeMilliseconds / 1000) }
        let (token, record) = try using { () throws(CredentialFileError) in
            try TokenFile.create(
                in: options.file, for: options.caller, lifetime: lifetime,
                now: CivilTime.microsecondsNow / 1_000_000)
        }
        console.err("token \(record.id): \(record.caller.role) \(record.caller.subject)\n")
        console.out(token + "\n")
        return .success
    }

    private static let listTokens = Command(
        "list", ListTokensOptions.self,
        examples: [
            .init("--file tokens.json", "Who may call, and until when."),
            .init("--file tokens.json --format json", "For a machine."),
        ]
    ) { options, console in
        let now = CivilTime.microsecondsNow / 1_000_000
        let file = try using { () throws(CredentialFileError) in
            try TokenFile(path: options.file)
        }
        for record in file.records {
            switch options.format {
            case .text: console.out(record.line(at: now) + "\n")
            case .json: console.out(record.shown.written(.compact) + "\n")
            }
        }
        return .success
    }

    private static let revokeToken = Command(
        "revoke", RevokeTokenOptions.self,
        details: "A running process refuses it within a second of its next call.",
        examples: [.init("--file tokens.json 5f1d04c9a37b", "It lets nobody in any more.")]
    ) { options, console in
        let revoked = try using { () throws(CredentialFileError) in
            try TokenFile.revoke(options.id, in: options.file)
        }
        guard let record = revoked else {
            throw CommandFailure(.failure, "\(options.file) has no token \(options.id)")
        }
        console.err(
            "token \(record.id) revoked: \(record.caller.role) \(record.caller.subject)\n")
        return .success
    }

    private static func using<Result>(
        _ body: () throws(CredentialFileError) -> Result
    ) throws(CommandFailure) -> Result {
        do throws(CredentialFileError) { return try body() } catch {
            throw CommandFailure(.unavailable, error.message)
        }
    }
}

extension TokenRecord {
    fileprivate func line(at now: Int64) -> String {
        let role = caller.role.rawValue
        let end = expiresText.map { (hasExpired(at: now) ? "expired " : "until ") + $0 }
        return [
            id, role + String(repeating: " ", count: max(0, 9 - role.count)), createdText,
            end ?? "for ever", caller.subject,
        ].joined(separator: "  ")
    }

    fileprivate var shown: JSON {
        .object([
            ("id", .string(id)), ("subject", .string(caller.subject)),
            ("role", .string(caller.role.rawValue)), ("created", .string(createdText)),
            ("expires", expiresText.map { .string($0) } ?? .null),
        ])
    }
}
