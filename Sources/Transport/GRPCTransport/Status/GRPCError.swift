/// Why a server could not be started.
public struct GRPCError: Error, Sendable, Equatable {
    /// The kinds of failure.
    public enum Code: Sendable, Equatable {
        /// The address cannot be understood or resolved.
        case invalidAddress
        /// Another socket listens on the address.
        case addressInUse
        /// The address is not this machine's, or may not be used by this process.
        case addressRefused
        /// A thread could not be created.
        case noThread
        /// No file descriptor is left.
        case noDescriptor
    }

    /// What kind of failure it is.
    public var code: Code
    /// What happened and where, for a person to read.
    public var message: String

    /// Creates an error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension GRPCError: CustomStringConvertible {
    public var description: String { message }
}
