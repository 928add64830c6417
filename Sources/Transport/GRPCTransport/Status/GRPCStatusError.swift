/// A call that ended with another status than OK.
///
/// Handlers throw it to answer a call; ``GRPCClient`` throws it when a call failed, wherever that
/// happened: at the server, on the way, or before anything was sent.
public struct GRPCStatusError: Error, Sendable, Equatable {
    /// What kind of failure it is. Never ``GRPCStatusCode/ok``.
    public var code: GRPCStatusCode
    /// What happened, for a person to read.
    ///
    /// Sent in `grpc-message`: without white space around it and cut to
    /// ``maxMessageBytes`` on the way out.
    public var message: String
    /// A serialized `google.rpc.Status`, sent in the trailer `grpc-status-details-bin`; empty if
    /// there is none.
    ///
    /// Clients refuse more than 8 KiB of trailers altogether, so details of more than
    /// ``maxDetailsBytes`` are left out rather than lose the status.
    public var details: [UInt8]

    /// The longest message that is sent, in bytes of UTF-8.
    public static let maxMessageBytes = 1024
    /// The longest details that are sent, in bytes.
    public static let maxDetailsBytes = 4096

    /// Creates a status.
    ///
    /// - Parameters:
    ///   - code: Any code but `.ok`, which is a programmer's error.
    ///   - message: What happened.
    ///   - details: A serialized `google.rpc.Status`, or nothing.
    public init(_ code: GRPCStatusCode, _ message: String, details: [UInt8] = []) {
        precondition(code != .ok, "OK is not an error")
        self.code = code
        self.message = message
        self.details = details
    }
}

extension GRPCStatusError: CustomStringConvertible {
    public var description: String { message.isEmpty ? code.name : "\(code.name): \(message)" }
}

extension GRPCStatusError {
    static func cancelled() -> GRPCStatusError {
        GRPCStatusError(.cancelled, "the call was cancelled")
    }
}
