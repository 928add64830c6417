/// The methods of a server.
struct ServerMethods: Sendable {
    struct Unary: Sendable {
        let path: String
        let policy: ShutdownPolicy
        let handler: UnaryHandler
    }

    struct Stream: Sendable {
        let path: String
        let policy: ShutdownPolicy
        let handler: StreamHandler
    }

    var unary: [Unary] = []
    var streams: [Stream] = []

    func has(_ path: String) -> Bool {
        unary.contains { $0.path == path } || streams.contains { $0.path == path }
    }

    /// The full names of the services to which the methods belong.
    var services: [String] {
        let paths = unary.map(\.path) + streams.map(\.path)
        return Set(paths.compactMap { $0.split(separator: "/").first.map(String.init) }).sorted()
    }
}
