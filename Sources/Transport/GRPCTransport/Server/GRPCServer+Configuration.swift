extension GRPCServer {
    /// The address and the limits of a server.
    public struct Configuration: Sendable, Equatable {
        /// What to listen on: `host:port`, `[IPv6]:port` or `unix:path`; port 0 picks a free one.
        ///
        /// Calls are not encrypted and clients not authenticated, hence the loopback address by
        /// default.
        public var address = "127.0.0.1:0"
        /// Who may connect to a Unix socket, as the mode of its file; `nil`: as the process's mask
        /// has it.
        public var unixSocketMode: UInt32?
        /// Completion queues, each with a thread of its own.
        public var queues = 2
        /// The longest request message, in bytes. Longer ones are refused with RESOURCE_EXHAUSTED.
        public var maxMessageBytes = 4 << 20
        /// The most metadata of a call, in bytes.
        public var maxMetadataBytes = 8 << 10
        /// The most connections. There are fewer where the process may not open so many files:
        /// connections leave some to everything else. When all are taken, those without a call make
        /// room for new ones.
        public var maxConnections = 10_000
        /// Calls that have not ended, over all connections: those in the hands of tasks, and those
        /// whose client has not taken the answer yet. More are refused with RESOURCE_EXHAUSTED.
        /// Each keeps about 17 kB.
        public var maxOpenCalls = 20_480
        /// A client that has not taken an answer by then is disconnected; after a tenth of it when
        /// half of the open calls that there may be are open.
        public var unreadTimeout = Duration.seconds(20)
        /// Calls in the hands of tasks, over all connections; more are refused with
        /// RESOURCE_EXHAUSTED.
        public var maxConcurrentCalls = 16_384
        /// Calls open at once on a connection; a client's further calls wait at the client.
        public var maxStreamsPerConnection = 256
        /// How often a client may send keepalive pings.
        public var minPingInterval = Duration.seconds(10)
        /// How many too early pings a connection survives.
        public var maxPingStrikes = 2
        /// After this silence a client is asked for a sign of life.
        public var keepaliveTime = Duration.seconds(60)
        /// A client that gives none within this time is disconnected, and its calls are cancelled.
        public var keepaliveTimeout = Duration.seconds(20)
        /// The time in which a new connection must have said something.
        public var handshakeTimeout = Duration.seconds(10)

        /// What is wrong with an address, found out without listening; `nil` if nothing is.
        public static func objection(to address: String) -> String? {
            do throws(GRPCError) {
                _ = try ListenAddress(address)
                return nil
            } catch {
                return error.message
            }
        }

        /// Creates a configuration of the default limits.
        ///
        /// - Parameter address: See ``address``.
        public init(address: String = "127.0.0.1:0") { self.address = address }

        var arguments: ChannelArguments {
            ChannelArguments([
                "grpc.max_receive_message_length": maxMessageBytes,
                "grpc.max_metadata_size": maxMetadataBytes,
                "grpc.absolute_max_metadata_size": maxMetadataBytes,
                "grpc.max_concurrent_streams": maxStreamsPerConnection,
                "grpc.http2.min_ping_interval_without_data_ms":
                    minPingInterval.settingMilliseconds,
                "grpc.http2.max_ping_strikes": maxPingStrikes,
                "grpc.keepalive_permit_without_calls": 1,
                "grpc.keepalive_time_ms": keepaliveTime.settingMilliseconds,
                "grpc.keepalive_timeout_ms": keepaliveTimeout.settingMilliseconds,
            ])
        }
    }
}
