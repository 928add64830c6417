internal import PipelineCore

/// A connection could not be made, or is of no use any more.
struct RedisFailure: Error {
    enum Kind {
        /// Nobody listens, or the server refuses the login.
        case notConnected
        /// Nothing came in time: a new connection would probably wait as long.
        case timedOut
        /// The server closed it, the network broke, or the replies make no sense.
        case lost
    }
    var kind: Kind
    var error: PipelineError
}
