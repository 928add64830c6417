extension GRPCClient {
    /// The target and the limits of a client.
    public struct Configuration: Sendable {
        /// What to connect to: `host:port`, `[IPv6]:port` or `unix:path`. Not encrypted.
        public var target: String
        /// The longest response message, in bytes. Longer ones end a call with RESOURCE_EXHAUSTED.
        public var maxMessageBytes = 4 << 20
        /// After this silence of the server, while calls are open, it is asked for a sign of life;
        /// `nil` is never. Servers refuse pings that come too often.
        public var keepaliveTime: Duration?
        /// A server that gives none within this time is given up.
        public var keepaliveTimeout = Duration.seconds(20)
        /// The longest wait between two attempts to connect.
        public var maxReconnectBackoff = Duration.seconds(10)
        /// Whether the environment's `http_proxy` is used.
        public var usesProxy = false

        /// Creates a configuration of the default limits.
        ///
        /// - Parameter target: See ``target``.
        public init(target: String) { self.target = target }

        var arguments: ChannelArguments {
            ChannelArguments([
                "grpc.max_receive_message_length": maxMessageBytes,
                "grpc.keepalive_time_ms": keepaliveTime?.wholeMilliseconds ?? Int(Int32.max),
                "grpc.keepalive_timeout_ms": keepaliveTimeout.wholeMilliseconds,
                "grpc.initial_reconnect_backoff_ms": min(
                    1000, maxReconnectBackoff.wholeMilliseconds),
                "grpc.max_reconnect_backoff_ms": maxReconnectBackoff.wholeMilliseconds,
                // A server that is started anew may have another address; the C core would not
                // look it up again for half a minute.
                "grpc.dns_min_time_between_resolutions_ms": 2000,
                "grpc.enable_http_proxy": usesProxy ? 1 : 0,
                // Each client has connections of its own.
                "grpc.use_local_subchannel_pool": 1,
            ])
        }
    }
}
