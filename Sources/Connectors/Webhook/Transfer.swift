internal import CCurl
internal import Calendar
internal import PipelineCore

/// A handle of [libcurl](https://curl.se/libcurl/c/) for one call at a time to one receiver.
///
/// It follows no redirect, asks no proxy, knows no protocol but HTTP, and connects to no address
/// that the settings close. An answer's body is read up to a bound, and thrown away.
@safe final class Transfer {
    /// More is not read: the status has been said before.
    private static let mostBytes = 64 << 10
    /// A connection that has rested for longer is not used again, in seconds.
    private static let longestRest = 60

    private let handle: UnsafeMutableRawPointer
    /// What libcurl says about the last call.
    private let reason: UnsafeMutablePointer<CChar>
    private var headers: UnsafeMutablePointer<curl_slist>?
    private let isAllowedAnywhere: Bool
    private var received = 0
    /// What would have been connected to.
    private var closedAddress: IPAddress?

    /// - Throws: ``CallFailure`` when the library can't be had as it has to be.
    init(_ settings: WebhookSettings) throws(CallFailure) {
        guard Self.isLibraryReady, let made = unsafe curl_easy_init() else {
            throw CallFailure(kind: .lost, reason: "libcurl can't begin")
        }
        unsafe handle = made
        unsafe reason = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe reason.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        isAllowedAnywhere = settings.isAllowedAnywhere
        try setReceiver(settings)
        try setCallbacks()
    }

    deinit {
        unsafe curl_easy_cleanup(handle)
        unsafe curl_slist_free_all(headers)
        unsafe reason.deallocate()
    }

    private static let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    /// Whether it is that one.
    func isOf(_ other: UnsafeMutableRawPointer) -> Bool { unsafe handle == other }

    /// Lends the handle, to be performed.
    func withHandle<T>(_ body: (UnsafeMutableRawPointer) -> T) -> T { unsafe body(handle) }

    /// What the next call sends. The body is copied.
    func prepare(_ lines: [String], body: Bytes) throws(CallFailure) {
        begin()
        unsafe curl_slist_free_all(headers)
        unsafe headers = nil
        for line in lines {
            guard let longer = unsafe curl_slist_append(headers, line) else {
                throw CallFailure(kind: .lost, reason: "there is no memory for its headers")
            }
            unsafe headers = longer
        }
        try check(unsafe penstock_curl_set_headers(handle, headers))
        try set(CURLOPT_POST, 1)
        try check(
            unsafe penstock_curl_set_size(handle, CURLOPT_POSTFIELDSIZE_LARGE, Int64(body.count)))
        // Without any bytes there would be no pointer, which means something else to libcurl.
        let code = unsafe (body.isEmpty ? [0] : body).withUnsafeBytes { bytes in
            unsafe penstock_curl_set_pointer(
                handle, CURLOPT_COPYPOSTFIELDS,
                UnsafeMutableRawPointer(mutating: bytes.baseAddress))
        }
        try check(code)
    }

    /// Connects and shakes hands, and sends nothing. Blocks.
    func connect(within limit: Duration) -> CallFailure? {
        begin()
        do throws(CallFailure) {
            try set(CURLOPT_CONNECT_ONLY, 1)
            try set(CURLOPT_CONNECTTIMEOUT_MS, limit.milliseconds)
            try set(CURLOPT_TIMEOUT_MS, limit.milliseconds)
        } catch { return error }
        let code = unsafe curl_easy_perform(handle)
        return code == CURLE_OK ? nil : failure(code)
    }

    /// How the call has ended.
    func end(_ code: CURLcode) -> CallEnd {
        let status = unsafe penstock_curl_status(handle)
        // What is lower is no answer yet.
        guard status >= 200 else { return .failed(failure(code)) }
        let seconds = unsafe penstock_curl_retry_after(handle)
        return .status(status, retryAfter: seconds > 0 ? .seconds(seconds) : nil)
    }

    private func begin() {
        received = 0
        closedAddress = nil
        unsafe reason[0] = 0
    }

    private func setReceiver(_ settings: WebhookSettings) throws(CallFailure) {
        try set(CURLOPT_URL, settings.url.text)
        try set(CURLOPT_PROTOCOLS_STR, settings.url.isEncrypted ? "https" : "http")
        try set(CURLOPT_FOLLOWLOCATION, 0)
        // An empty name is that of no proxy, whatever the environment says.
        try set(CURLOPT_PROXY, "")
        try set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        try set(CURLOPT_USERAGENT, "Penstock")
        try set(CURLOPT_SSL_VERIFYPEER, 1)
        try set(CURLOPT_SSL_VERIFYHOST, 2)
        try set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
        if let path = settings.authorityFile {
            try set(CURLOPT_CAINFO, path)
            try check(unsafe penstock_curl_set_text(handle, CURLOPT_CAPATH, nil))
        }
        try set(CURLOPT_CONNECTTIMEOUT_MS, settings.connectTimeout.milliseconds)
        try set(CURLOPT_TIMEOUT_MS, settings.timeout.milliseconds)
        try set(CURLOPT_TCP_KEEPALIVE, 1)
        try set(CURLOPT_MAXAGE_CONN, Self.longestRest)
        // Signals are the process's; and whoever gives up waits for no name to be resolved.
        try set(CURLOPT_NOSIGNAL, 1)
        try set(CURLOPT_QUICK_EXIT, 1)
    }

    private func setCallbacks() throws(CallFailure) {
        let own = unsafe Unmanaged.passUnretained(self).toOpaque()
        try check(unsafe penstock_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, reason))
        try check(unsafe penstock_curl_set_pointer(handle, CURLOPT_WRITEDATA, own))
        try check(unsafe penstock_curl_set_pointer(handle, CURLOPT_OPENSOCKETDATA, own))
        try check(
            unsafe penstock_curl_set_write(handle) { _, size, count, own in
                let transfer = unsafe Unmanaged<Transfer>.fromOpaque(own!).takeUnretainedValue()
                return transfer.takes(size * count) ? size * count : 0
            })
        try check(
            unsafe penstock_curl_set_open(handle) { own, _, address in
                let transfer = unsafe Unmanaged<Transfer>.fromOpaque(own!).takeUnretainedValue()
                return unsafe transfer.socket(to: address!)
            })
    }

    /// Counts bytes of an answer; anything but all of them ends the transfer.
    private func takes(_ count: Int) -> Bool {
        received += count
        return received <= Self.mostBytes
    }

    /// Opens a socket to an address that the name was resolved to, and no other one follows that
    /// decision. The name may be resolved to another one next time.
    private func socket(to address: UnsafeMutablePointer<curl_sockaddr>) -> curl_socket_t {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = unsafe Int(penstock_curl_address(address, &bytes))
        guard let wanted = IPAddress(bytes: Array(bytes[..<count])) else { return -1 }
        guard isAllowedAnywhere || wanted.isPublic else {
            closedAddress = wanted
            return -1
        }
        return unsafe penstock_curl_socket(address)
    }

    private func failure(_ code: CURLcode) -> CallFailure {
        let told = unsafe String(cString: reason)
        let text = unsafe told.isEmpty ? String(cString: curl_easy_strerror(code)) : told
        let kind: CallFailure.Kind =
            switch code {
            case CURLE_COULDNT_CONNECT:
                if let closedAddress { .address(closedAddress) } else { .unreachable }
            case CURLE_COULDNT_RESOLVE_HOST: .unreachable
            case CURLE_OPERATION_TIMEDOUT: .timeout
            case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR:
                .encryption(.untrusted)
            default:
                if let mistake = TLSFailure(text) { .encryption(mistake) } else { .lost }
            }
        return CallFailure(kind: kind, reason: text)
    }

    private func set(_ option: CURLoption, _ value: Int) throws(CallFailure) {
        try check(unsafe penstock_curl_set_long(handle, option, value))
    }

    private func set(_ option: CURLoption, _ text: String) throws(CallFailure) {
        try check(unsafe penstock_curl_set_text(handle, option, text))
    }

    private func check(_ code: CURLcode) throws(CallFailure) {
        if code == CURLE_OK { return }
        let text = unsafe String(cString: curl_easy_strerror(code))
        throw CallFailure(kind: .lost, reason: "libcurl can't be set up: \(text)")
    }
}

extension Duration {
    fileprivate var milliseconds: Int { Int(wholeMilliseconds) }
}
