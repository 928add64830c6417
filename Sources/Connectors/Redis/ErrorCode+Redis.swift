package import PipelineCore

/// What Redis alone throws.
extension ErrorCode {
    package static let cacheClosed = ErrorCode(
        "cache-closed", .passing, "The cache was used while the process stopped.",
        remedy: "Nothing.")
    package static let cacheEncryption = ErrorCode(
        "cache-encryption", .unavailable, "Redis and this process do not agree on encryption.",
        remedy: "Check the scheme (redis or rediss), the certificates and the host's name.")
    package static let cacheFull = ErrorCode(
        "cache-full", .passing, "Redis is full.",
        remedy: "Raise maxmemory, or let it evict (maxmemory-policy).")
    package static let cacheLogin = ErrorCode(
        "cache-login", .unavailable, "Redis refuses the login.",
        remedy: "Check the user, the password and the user's rights.")
    package static let cacheMissing = ErrorCode(
        "cache-missing", .unavailable, "Redis has no database of that number.",
        remedy: "Name another one behind the slash of the URL, or raise databases in redis.conf.")
    package static let cacheOverloaded = ErrorCode(
        "cache-overloaded", .passing, "Too many commands wait for Redis.",
        remedy: "Look at Redis' latency; reads go to the store meanwhile.")
    package static let cacheRefused = ErrorCode(
        "cache-refused", .passing, "Redis does not take a command, or answers with something else.",
        remedy: "Read its message: is it Redis, and the right version?")
    package static let cacheUnsupported = ErrorCode(
        "cache-unsupported", .unavailable, "The server is a Redis cluster.",
        remedy: "Use a single server, or a primary with replicas.")

    /// All of these, for the catalogue.
    package static let ofRedis: [ErrorCode] = [
        .cacheClosed, .cacheEncryption, .cacheFull, .cacheLogin, .cacheMissing, .cacheOverloaded,
        .cacheRefused, .cacheUnsupported,
    ]
}
