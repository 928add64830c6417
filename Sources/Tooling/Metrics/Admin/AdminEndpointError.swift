/// The admin port can't be opened.
public struct AdminEndpointError: Error, Sendable, CustomStringConvertible {
    public enum Obstacle: Sendable {
        /// Somebody listens there already.
        case addressInUse
        /// The host is no address or name of this machine, or the port is not allowed.
        case cannotListen
    }
    public let obstacle: Obstacle
    /// `127.0.0.1:9464`, `[::1]:9464`.
    public let address: String
    /// One sentence for a person.
    public let reason: String
    public var description: String { "cannot listen on \(address): \(reason)" }
}
