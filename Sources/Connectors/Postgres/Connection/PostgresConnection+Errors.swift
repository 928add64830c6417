internal import CPostgres
internal import PipelineCore

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
