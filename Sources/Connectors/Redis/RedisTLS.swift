internal import COpenSSL
internal import Glibc
internal import PipelineCore

/// What `rediss://` encrypts with, and whom it trusts.
struct RedisTLS: Sendable, Equatable {
    /// A file of authorities in PEM; the system's where there is none.
    var authorityFile: String?
    /// The client's certificate, with what leads to its authority, in PEM.
    var certificateFile: String?
    /// The key of that certificate, in PEM, without a passphrase.
    var keyFile: String?
    /// Whom the server's certificate has to be for: the URL's host where nothing is said.
    var serverName: String?

    /// The files by the properties that name them.
    var files: [ResourceFile] {
        [
            ("tls_ca_cert_file", authorityFile), ("tls_cert_file", certificateFile),
            ("tls_key_file", keyFile),
        ].compactMap { property, path in path.map { ResourceFile(property: property, path: $0) } }
    }

    /// What can be done about a handshake that has failed.
    static func advice(on failure: TLSFailure) -> String {
        switch failure {
        case .untrusted:
            "check tls_ca_cert_file, tls_server_name, and whether the server's certificate has expired"
        case .refused:
            "check tls_cert_file and tls_key_file: the server's tls-ca-cert-file must know who has signed"
        case .noTLS: "check the port: one without TLS is for redis://"
        }
    }
}

/// TLS over the socket of one connection, used by one thread at a time. Blocks, for as long as the
/// socket does.
///
/// By OpenSSL, since Debian's hiredis has no part for it: hiredis connects, and reads replies out
/// of the bytes that come from here.
@safe final class RedisTLSChannel {
    /// Why it can't go on.
    struct Failure: Error {
        /// Nothing came in the time that the socket has.
        var isTimeout = false
        var reason: String
        /// Where the reason stays until somebody changes something.
        var mistake: TLSFailure?
    }

    private let connection: OpaquePointer
    /// What waits to be sent together.
    private var outgoing: [UInt8] = []

    /// Shakes hands.
    ///
    /// - Parameters:
    ///   - descriptor: of a socket that is connected; it is not closed here.
    ///   - host: the URL's.
    init(_ tls: RedisTLS, descriptor: Int32, host: String) throws(Failure) {
        ERR_clear_error()
        let context = try unsafe Self.context(tls)
        // The connection keeps what it needs of it.
        defer { unsafe SSL_CTX_free(context) }
        guard let made = unsafe SSL_new(context) else { throw Failure(reason: "no memory for TLS") }
        unsafe connection = made
        let name = tls.serverName ?? host
        var address = in6_addr()
        let isAddress =
            unsafe inet_pton(AF_INET, name, &address) == 1
            || inet_pton(AF_INET6, name, &address) == 1
        if isAddress {
            unsafe X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), name)
        } else {
            unsafe SSL_set1_host(connection, name)
            unsafe _ = penstock_tls_name_server(connection, name)
        }
        unsafe SSL_set_fd(connection, descriptor)
        let status = unsafe SSL_connect(connection)
        guard status != 1 else { return }
        var failure = failure(status)
        // A server without TLS may take it for the beginning of a long command.
        if failure.isTimeout { failure.reason += "; is that a port with TLS?" }
        throw failure
    }

    deinit { unsafe SSL_free(connection) }

    /// Keeps the bytes to be sent with the others.
    func append(_ bytes: UnsafeRawBufferPointer) { unsafe outgoing.append(contentsOf: bytes) }

    /// Sends what waits, and answers what comes then: at least a byte.
    func receive() throws(Failure) -> [UInt8] {
        if !outgoing.isEmpty {
            ERR_clear_error()
            // Whole or not at all: partial writes are not asked for.
            let status = unsafe SSL_write(connection, outgoing, Int32(outgoing.count))
            if status <= 0 { throw lastWord(after: failure(status)) }
            outgoing.removeAll(keepingCapacity: true)
        }
        ERR_clear_error()
        var buffer = [UInt8](repeating: 0, count: 1 << 14)
        let count = unsafe SSL_read(connection, &buffer, Int32(buffer.count))
        if count <= 0 { throw failure(count) }
        return Array(buffer[..<Int(count)])
    }

    /// Why the server has gone, where it has said so before: it refuses a certificate only after
    /// the client's part of the handshake, and may have closed when the first command is sent.
    private func lastWord(after failure: Failure) -> Failure {
        if failure.isTimeout { return failure }
        var byte: UInt8 = 0
        ERR_clear_error()
        let count = unsafe SSL_read(connection, &byte, 1)
        guard count <= 0 else { return failure }
        let said = self.failure(count)
        return said.mistake == nil ? failure : said
    }

    private static func context(_ tls: RedisTLS) throws(Failure) -> OpaquePointer {
        guard let context = unsafe SSL_CTX_new(TLS_client_method()) else {
            throw Failure(reason: "no memory for TLS")
        }
        unsafe penstock_tls_require_1_2(context)
        unsafe penstock_tls_ask_nobody(context)
        unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        do throws(Failure) {
            if let path = tls.authorityFile {
                try check("tls_ca_cert_file", unsafe SSL_CTX_load_verify_file(context, path))
            } else {
                try check("authorities", unsafe SSL_CTX_set_default_verify_paths(context))
            }
            if let path = tls.certificateFile {
                try check(
                    "tls_cert_file", unsafe SSL_CTX_use_certificate_chain_file(context, path))
            }
            if let path = tls.keyFile {
                try check(
                    "tls_key_file",
                    unsafe SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM))
            }
        } catch {
            unsafe SSL_CTX_free(context)
            throw error
        }
        return unsafe context
    }

    private static func check(_ subject: String, _ status: Int32) throws(Failure) {
        if status == 1 { return }
        let reason = queuedReason ?? "nothing in it can be used"
        throw Failure(reason: "\(subject) can't be used: \(reason)", mistake: .untrusted)
    }

    /// What OpenSSL says about the last call.
    private func failure(_ status: Int32) -> Failure {
        let number = errno
        switch unsafe SSL_get_error(connection, status) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
            return Failure(isTimeout: true, reason: "no answer in time")
        case SSL_ERROR_ZERO_RETURN: return Failure(reason: "Server closed the connection")
        case SSL_ERROR_SYSCALL:
            if [EAGAIN, ETIMEDOUT].contains(number) {
                return Failure(isTimeout: true, reason: "no answer in time")
            }
            return Failure(
                reason: number == 0
                    ? "Server closed the connection" : unsafe String(cString: strerror(number)))
        default: break
        }
        var reason = Self.queuedReason ?? "TLS failed"
        let verdict = unsafe SSL_get_verify_result(connection)
        if verdict != X509_V_OK, let text = unsafe X509_verify_cert_error_string(verdict) {
            reason += ": \(unsafe String(cString: text))"
        }
        return Failure(reason: reason, mistake: TLSFailure(reason))
    }

    /// The first thing that went wrong, in OpenSSL's words.
    private static var queuedReason: String? {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0 else { return nil }
        if let reason = unsafe ERR_reason_error_string(code) {
            return unsafe String(cString: reason)
        }
        var text = [CChar](repeating: 0, count: 256)
        unsafe ERR_error_string_n(code, &text, text.count)
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
