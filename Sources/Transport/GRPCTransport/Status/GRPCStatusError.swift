internal import CGRPC
internal import Calendar

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

    /// When the call may be made again, sent in the trailer `grpc-retry-pushback-ms`: clients that
    /// repeat calls by themselves, as their service config says, wait for so long. `nil`: they wait
    /// as they like.
    public var retryAfter: Duration?

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
    ///   - retryAfter: When the call may be made again.
    public init(
        _ code: GRPCStatusCode, _ message: String, details: [UInt8] = [],
        retryAfter: Duration? = nil
    ) {
        precondition(code != .ok, "OK is not an error")
        self.code = code
        self.message = message
        self.details = details
        self.retryAfter = retryAfter
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

/// The outcome of a call, one of the 17 codes that gRPC defines.
///
/// See <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>.
public enum GRPCStatusCode: Int32, Sendable, CaseIterable {
    case ok = 0
    case cancelled = 1
    case unknown = 2
    case invalidArgument = 3
    case deadlineExceeded = 4
    case notFound = 5
    case alreadyExists = 6
    case permissionDenied = 7
    case resourceExhausted = 8
    case failedPrecondition = 9
    case aborted = 10
    case outOfRange = 11
    case unimplemented = 12
    case `internal` = 13
    case unavailable = 14
    case dataLoss = 15
    case unauthenticated = 16

    /// The code's name in the gRPC documentation, for example `INVALID_ARGUMENT`.
    public var name: String {
        switch self {
        case .ok: "OK"
        case .cancelled: "CANCELLED"
        case .unknown: "UNKNOWN"
        case .invalidArgument: "INVALID_ARGUMENT"
        case .deadlineExceeded: "DEADLINE_EXCEEDED"
        case .notFound: "NOT_FOUND"
        case .alreadyExists: "ALREADY_EXISTS"
        case .permissionDenied: "PERMISSION_DENIED"
        case .resourceExhausted: "RESOURCE_EXHAUSTED"
        case .failedPrecondition: "FAILED_PRECONDITION"
        case .aborted: "ABORTED"
        case .outOfRange: "OUT_OF_RANGE"
        case .unimplemented: "UNIMPLEMENTED"
        case .internal: "INTERNAL"
        case .unavailable: "UNAVAILABLE"
        case .dataLoss: "DATA_LOSS"
        case .unauthenticated: "UNAUTHENTICATED"
        }
    }
}

extension GRPCStatusCode: CustomStringConvertible {
    public var description: String { name }
}

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

/// A status on its way to the client; alive until the batch that sends it is complete.
///
/// `Sendable`: never changed after it was made.
@safe
final class OutgoingStatus: @unchecked Sendable {
    let code: grpc_status_code
    let message: UnsafeMutablePointer<grpc_slice>
    let trailers: MetadataBuffer?

    init(_ error: GRPCStatusError) {
        code = penstock_status_code(error.code.rawValue)
        unsafe message = .allocate(capacity: 1)
        unsafe message.initialize(to: grpc_slice(copying: Self.sendable(error.message)))
        trailers = Self.trailers(of: error)
    }

    deinit {
        unsafe grpc_slice_unref(message.pointee)
        unsafe message.deallocate()
    }

    private static func trailers(of error: GRPCStatusError) -> MetadataBuffer? {
        var metadata = GRPCMetadata()
        if !error.details.isEmpty, error.details.count <= GRPCStatusError.maxDetailsBytes {
            metadata.append(ReceivedStatus.detailsName, error.details)
        }
        if let delay = error.retryAfter {
            metadata.append(ReceivedStatus.pushbackName, "\(max(0, delay.wholeMilliseconds))")
        }
        return metadata.entries.isEmpty ? nil : try? MetadataBuffer(metadata)
    }

    /// The message as it may be sent. The C core does the percent-encoding; spaces at the ends it
    /// leaves as they are, which nghttp2 and others that follow RFC 9113 refuse in a header.
    private static func sendable(_ message: String) -> String {
        var kept = message.unicodeScalars.drop { $0.properties.isWhitespace }
        var bytes = Substring(kept).utf8.count
        while let last = kept.last {
            if bytes <= GRPCStatusError.maxMessageBytes, !last.properties.isWhitespace { break }
            bytes -= UTF8.width(last)
            kept.removeLast()
        }
        return String(kept)
    }
}

/// The place where the C core puts a call's status at the client.
///
/// `Sendable`: written before the completion that carries it, read after.
@safe
final class ReceivedStatus: @unchecked Sendable {
    /// The trailers that belong to a status.
    static let detailsName = "grpc-status-details-bin"
    static let pushbackName = "grpc-retry-pushback-ms"

    @unsafe
    struct Memory {
        var code = GRPC_STATUS_UNKNOWN
        var message = unsafe grpc_empty_slice()
        var trailers = unsafe grpc_metadata_array()
    }

    let memory: UnsafeMutablePointer<Memory>

    init() {
        unsafe memory = .allocate(capacity: 1)
        unsafe memory.initialize(to: Memory())
        unsafe grpc_metadata_array_init(&memory.pointee.trailers)
    }

    deinit {
        unsafe grpc_slice_unref(memory.pointee.message)
        unsafe grpc_metadata_array_destroy(&memory.pointee.trailers)
        unsafe memory.deallocate()
    }

    /// The failure that was received; `nil` is OK. To be read while the call is alive.
    ///
    /// A server that shuts down ends calls that are just on their way to it with a bare CANCELLED.
    /// Nobody at this side has cancelled them: that the server is away is what UNAVAILABLE is for.
    func error(of call: CallHandle) -> GRPCStatusError? {
        let raw = unsafe penstock_status_number(memory.pointee.code)
        let code = GRPCStatusCode(rawValue: raw) ?? .unknown
        if code == .ok { return nil }
        let details = unsafe memory.pointee.trailers.values(for: Self.detailsName)
        let pushback = unsafe memory.pointee.trailers.values(for: Self.pushbackName).first
            .flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
        let message = unsafe memory.pointee.message.text()
        if code == .cancelled, !call.wasCancelled, message.isEmpty || message == code.name {
            return GRPCStatusError(.unavailable, "the server has ended the call without an answer")
        }
        return GRPCStatusError(
            code, message, details: details.first ?? [],
            retryAfter: pushback.map { .milliseconds(max(0, $0)) })
    }
}
