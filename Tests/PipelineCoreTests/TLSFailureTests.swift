import PipelineCore
import Testing

@Suite("What a handshake of TLS has failed for")
struct TLSFailureTests {
    @Test(
        "stays so where somebody has to change something",
        arguments: [
            ("SSL error: certificate verify failed", TLSFailure.untrusted),
            ("certificate verify failed: certificate has expired", .untrusted),
            (
                "server certificate for \"a\" does not match host name \"b\"", .untrusted
            ),
            ("SSL error: tlsv1 alert unknown ca", .refused),
            ("tlsv13 alert certificate required", .refused),
            ("ssl/tls alert bad certificate: SSL alert number 42", .refused),
            ("sslv3 alert certificate revoked", .refused),
            ("SSL error: wrong version number", .noTLS),
            ("SSL routines::unsupported protocol", .noTLS),
            ("tlsv1 alert protocol version", .noTLS), ("sslv3 alert handshake failure", .noTLS),
        ])
    func mistakes(text: String, failure: TLSFailure) {
        #expect(TLSFailure(text) == failure)
    }

    @Test(
        "may pass where it is none of that",
        arguments: [
            "", "Connection refused", "SSL SYSCALL error: EOF detected",
            "tlsv1 alert internal error", "unexpected eof while reading",
            "SSL handshake failed: Disconnected",
            "could not read root certificate file",
        ])
    func others(text: String) { #expect(TLSFailure(text) == nil) }
}
