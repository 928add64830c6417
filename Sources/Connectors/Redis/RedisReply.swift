internal import PipelineCore

/// A reply, copied out of hiredis
/// ([RESP2](https://redis.io/docs/latest/develop/reference/protocol-spec/)).
enum RedisReply: Sendable, Equatable {
    case string(Bytes)
    case status(String)
    case integer(Int64)
    case null
    case array([RedisReply])
    /// The command failed; the connection goes on.
    case failed(RedisServerError)
}
