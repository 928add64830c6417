internal import CCurl
internal import ConfigurationFields
internal import PipelineCore

/// Where a webhook's receiver is, as libcurl reads it: whoever connects and whoever decides where
/// to may not read it in two ways.
struct WebhookURL: Sendable {
    let text: String
    let isEncrypted: Bool
    /// In lower case, an address of IPv6 without its brackets.
    let host: String
    /// `https://hook.example:8443`: how messages name the receiver, since a path may be somebody's
    /// secret.
    let origin: String
    /// `hook.example:8443`, for metrics.
    let server: String

    /// - Throws: `Refusal`, whose message is a sentence that speaks of no secret.
    init(_ text: String) throws(Refusal) {
        self.text = text
        if text.contains("#") {
            throw Refusal(.invalidValue, "a fragment (#…) is sent to nobody; leave it out")
        }
        guard let url = unsafe curl_url() else {
            throw Refusal(.invalidValue, "there is no memory to read it")
        }
        defer { unsafe curl_url_cleanup(url) }
        switch unsafe curl_url_set(url, CURLUPART_URL, text, UInt32(CURLU_DISALLOW_USER)) {
        case CURLUE_OK: break
        case CURLUE_USER_NOT_ALLOWED:
            throw Refusal(
                .invalidValue, "it has a user or a password: calls are signed, and have none")
        case let code:
            throw Refusal(
                .invalidValue,
                "is no URL that can be called (\(unsafe String(cString: curl_url_strerror(code))))")
        }
        let scheme = unsafe Self.part(CURLUPART_SCHEME, of: url).lowercased()
        guard ["https", "http"].contains(scheme) else {
            throw Refusal(.invalidValue, "is not an https:// address")
        }
        // libcurl takes what follows more slashes for the host, and does with fewer.
        let rest = text.dropFirst(scheme.utf8.count)
        guard rest.hasPrefix("://"), !rest.hasPrefix(":///") else {
            throw Refusal(.invalidValue, "it needs a host; write https://host/path")
        }
        isEncrypted = scheme == "https"
        let written = unsafe Self.part(CURLUPART_HOST, of: url).lowercased()
        host = written.hasPrefix("[") ? String(written.dropFirst().dropLast()) : written
        let port = unsafe Self.part(CURLUPART_PORT, of: url)
        if port == "0" { throw Refusal(.invalidValue, "0 is not a port") }
        server = "\(written):\(port)"
        origin = "\(scheme)://\(server)"
    }

    /// Empty for a part that is not there; the port is the scheme's then.
    private static func part(_ part: CURLUPart, of url: OpaquePointer) -> String {
        var text: UnsafeMutablePointer<CChar>?
        guard unsafe curl_url_get(url, part, &text, UInt32(CURLU_DEFAULT_PORT)) == CURLUE_OK,
            let text = unsafe text
        else { return "" }
        defer { unsafe curl_free(text) }
        return unsafe String(cString: text)
    }
}
