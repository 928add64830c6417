/// The methods of a server, registered in the C core.
struct ServerMethods: Sendable {
    struct Unary: Sendable {
        let path: String
        let policy: ShutdownPolicy
        let registration: RegisteredMethod
        let handler: UnaryHandler
    }

    struct Stream: Sendable {
        let path: String
        let policy: ShutdownPolicy
        let registration: RegisteredMethod
        let handler: StreamHandler
    }

    var unary: [Unary] = []
    var streams: [Stream] = []

    /// The full names of the services to which the methods belong.
    var services: [String] {
        let paths = unary.map(\.path) + streams.map(\.path)
        return Set(paths.compactMap { $0.split(separator: "/").first.map(String.init) }).sorted()
    }
}
