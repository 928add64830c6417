internal import CPostgres
public import PipelineCore

/// What the server said about a statement; the cause of the ``PipelineCore/PipelineError`` that
/// is thrown.
public struct PostgresError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Five characters ([list](https://www.postgresql.org/docs/current/errcodes-appendix.html));
    /// empty when the connection broke without a word from the server.
    public var sqlState: String
    /// The primary message. Never the detail, which repeats values.
    public var message: String
    public var constraint: String?

    public init(sqlState: String, message: String, constraint: String? = nil) {
        self.sqlState = sqlState
        self.message = message
        self.constraint = constraint
    }

    public var description: String { sqlState.isEmpty ? message : "\(message) (\(sqlState))" }
}

extension PipelineError {
    /// The server's error behind this one.
    public var postgres: PostgresError? { cause as? PostgresError }
}

extension PostgresError {
    /// The operating error: what the runtime may do about it, and what a person can.
    ///
    /// - Parameter isConnecting: whether there is no session yet. What the server says then, it
    ///   says to everybody who comes by this address.
    func pipelineError(server: String, isConnecting: Bool = false) -> PipelineError {
        let (code, advice) = (isConnecting ? refusal : nil) ?? classification
        let sentence = "PostgreSQL at \(server): \(description)\(advice.map { "; \($0)" } ?? "")"
        let error = PipelineError(code, sentence, cause: self)
        return Self.serversFaults.contains(code)
            ? error.of(.postgres(server)) : error
    }

    /// What is wrong for everybody, whatever they ask for.
    private static let serversFaults: Set<ErrorCode> = [
        .storeUnavailable, .storeFull, .storeReadOnly,
    ]

    /// Whether the server, and not the statement, is what is wrong: another one may have taken its
    /// place, and its other sessions are of no use either.
    var meansAnotherServer: Bool {
        ["", "25006", "57P01", "57P02", "57P03"].contains(sqlState) || sqlState.hasPrefix("08")
    }

    private typealias Classification = (code: ErrorCode, advice: String?)

    private var classification: Classification {
        switch sqlState {
        case "", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04":
            (.storeUnavailable, nil)
        case "53300":
            (
                .storeBusy,
                "lower `connections`, or let the server or the role have more"
            )
        case "53100": (.storeFull, "free space on the server's disk")
        case "57014": (.storeTimeout, "raise `statement_timeout` if this is expected")
        case "55P03", "40001", "40P01": (.storeConflict, nil)
        case "25006":
            (.storeReadOnly, "the address must name the primary server")
        case "26000",
            "0A000" where message.contains("cached plan"):
            (.storeStatementStale, nil)
        case "28000" where message.contains("no encryption"):
            (.storeAuthentication, "set `sslmode` if that is what pg_hba.conf asks for")
        case "28P01", "28000":
            (.storeAuthentication, "check user, password and pg_hba.conf")
        case "3D000": (.storeMissing, "create the database first")
        case "42501": (.storePermission, "grant the user what is missing")
        case "42P01", "42703", "42883", "3F000", "42704":
            (.storeSchema, "run `penstock migrate`")
        default: classificationByClass
        }
    }

    private var classificationByClass: Classification {
        switch sqlState.prefix(2) {
        case "08": (.storeUnavailable, nil)
        case "40": (.storeConflict, nil)
        case "53", "58": (.storeResources, nil)
        case "22", "54": (.storeData, nil)
        case "23": (.storeConstraint, nil)
        default: (.storeStatement, nil)
        }
    }

    /// What stays refused until somebody changes the address, the server or what lies between them;
    /// `nil` where the next attempt may go better, or a statement's meaning holds here, too.
    private var refusal: Classification? {
        switch sqlState {
        case "", "08P01":
            // Without a code of its own, the text has to do.
            return TLSFailure(message).map { (.storeEncryption, Self.advice(on: $0)) }
                ?? Self.refusals.first { message.contains($0.text) }.map { ($0.code, $0.advice) }
        case "22023", "42601", "42704", "42501", "55P02":
            return (.storeOptions, "the server does not take these settings of a session")
        case "55000", "0A000": return (.storeRefused, nil)
        default: return nil
        }
    }

    private static func advice(on failure: TLSFailure) -> String {
        switch failure {
        case .untrusted:
            "check `sslrootcert`, the host's name, and whether the server's certificate has expired"
        case .refused:
            "check `sslcert` and `sslkey`: the server's `ssl_ca_file` must know who has signed"
        case .noTLS: "check `sslmode`, the port and `ssl_min_protocol_version`"
        }
    }

    /// libpq has no codes for what it finds out by itself, and PgBouncer one for everything.
    private static let refusals: [(text: String, code: ErrorCode, advice: String?)] = [
        (
            "unsupported startup parameter", .storeOptions,
            "leave `options` out, or name the parameter in ignore_startup_parameters of pgbouncer.ini"
        ),
        ("no such database", .storeMissing, "create it, or name it in pgbouncer.ini"),
        ("no such user", .storeAuthentication, "check the user, and the pooler's list of users"),
        ("server does not support SSL", .storeEncryption, "check `sslmode`"),
        ("SSL required", .storeEncryption, "set `sslmode`"),
        ("private key file", .storeEncryption, "check `sslkey`"),
        ("certificate", .storeEncryption, "check `sslmode`, `sslrootcert` and the host's name"),
        ("channel binding", .storeAuthentication, "check `channel_binding`"),
        ("GSSAPI encryption required", .storeEncryption, "check `gssencmode`"),
        ("authentication method", .storeAuthentication, "check pg_hba.conf"),
        ("no password supplied", .storeAuthentication, "the address needs a password"),
        ("definition of service", .storeRefused, "check `service` and its file"),
        ("expected authentication request", .storeRefused, "is that a PostgreSQL server?"),
        ("invalid response to SSL negotiation", .storeRefused, "is that a PostgreSQL server?"),
    ]
}

extension Backend {
    static func postgres(_ server: String) -> Backend {
        Backend(.store, "PostgreSQL at \(server)")
    }
}

extension PostgresConnection {
    /// The error of a connection that broke or was never made. It is not used again.
    func connectionError() -> any Error {
        isSpent = true
        let text = unsafe String(cString: PQerrorMessage(handle)).trimmed
        if unsafe PQconnectionNeedsPassword(handle) == 1 {
            return PostgresError(sqlState: "28P01", message: "a password is needed")
                .pipelineError(server: server, isConnecting: true)
        }
        let error = Self.error(fromMessage: text)
        if error.meansAnotherServer { isMisplaced = true }
        return error.pipelineError(
            server: server, isConnecting: !hasBegun)
    }

    /// Finds the SQLSTATE in a verbose message: `… FATAL:  28P01: password authentication failed
    /// …`.
    private static func error(fromMessage text: String) -> PostgresError {
        let lines = text.split(separator: "\n").filter { !$0.hasPrefix("LOCATION:") }
        for line in lines {
            guard let mark = line.firstRange(of: ":  ") else { continue }
            let rest = line[mark.upperBound...]
            let state = rest.prefix(5)
            let isState = state.utf8.allSatisfy { (48...57).contains($0) || (65...90).contains($0) }
            guard state.count == 5, isState, rest.dropFirst(5).hasPrefix(": ") else { continue }
            return PostgresError(sqlState: String(state), message: String(rest.dropFirst(7)))
        }
        if ["session is read-only", "server is in hot standby mode"].contains(where: text.contains)
        {
            return PostgresError(sqlState: "25006", message: "the server takes no writes")
        }
        // Lines that are set in explain the one before.
        let facts = lines.filter { !$0.hasPrefix("\t") }.joined(separator: "; ")
        return PostgresError(
            sqlState: "", message: facts.isEmpty ? "the connection was lost" : facts)
    }

    /// The error that a result carries; `nil` for a good one.
    func error(of result: PostgresResult) -> (any Error)? {
        switch unsafe PQresultStatus(result.handle) {
        case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE: break
        default: return nil
        }
        func field(_ code: Int) -> String? {
            unsafe PQresultErrorField(result.handle, Int32(code)).map { unsafe String(cString: $0) }
        }
        let state = field(ErrorField.sqlState) ?? ""
        if unsafe PQstatus(handle) != CONNECTION_OK { isSpent = true }
        if state.isEmpty { return connectionError() }
        if state == "57014" && isSpent && signal.requestedAt != nil { return CancellationError() }
        let error = PostgresError(
            sqlState: state,
            message: field(ErrorField.message) ?? "no message",
            constraint: field(ErrorField.constraint))
        let reported = error.pipelineError(server: server, isConnecting: !hasBegun)
        if error.meansAnotherServer {
            isSpent = true
            isMisplaced = true
        }
        if reported.code == .storeStatementStale { isSpent = true }
        if reported.code == .storeFull { hasMetFullDisk = true }
        return reported
    }
}

/// `PG_DIAG_…`: character constants, which Swift does not import.
private enum ErrorField {
    static let sqlState = Int(UInt8(ascii: "C"))
    static let message = Int(UInt8(ascii: "M"))
    static let constraint = Int(UInt8(ascii: "n"))
}
