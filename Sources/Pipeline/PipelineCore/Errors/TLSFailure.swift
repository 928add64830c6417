/// What a handshake of TLS has failed for, where that stays so until somebody changes a setting, a
/// certificate or a server.
///
/// The clients of Kafka, PostgreSQL and Redis all stand on OpenSSL, and hand on its words. A
/// handshake that broke off for another reason, as a server that stops makes it, is no such
/// failure: it may pass.
public enum TLSFailure: Sendable {
    /// The server's certificate is not trusted: another authority, expired, another name.
    case untrusted
    /// The server refuses this client, or its certificate, with an alert.
    case refused
    /// What answers does not speak TLS, or no version of it that both know.
    case noTLS

    /// - Parameter text: a library's message.
    /// - Returns: `nil` for what may pass, and for what is not about TLS.
    public init?(_ text: String) {
        let text = text.lowercased()
        func says(_ words: [String]) -> Bool { words.contains { text.contains($0) } }
        if says(["certificate verify failed", "does not match host name", "hostname mismatch"]) {
            self = .untrusted
        } else if says([
            "wrong version number", "packet length too long", "http request",
            "unsupported protocol", "no protocols available", "no shared cipher",
        ]) {
            self = .noTLS
        } else if says(["alert internal error", "alert user", "alert close notify"]) {
            return nil
        } else if says(["alert handshake failure", "alert protocol version"]) {
            self = .noTLS
        } else if says(["tlsv1 alert", "tlsv13 alert", "sslv3 alert", "ssl/tls alert"]) {
            self = .refused
        } else {
            return nil
        }
    }
}
