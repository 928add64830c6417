/// A method of a service: its names, and the types of its messages.
public struct MethodDescriptor<Request: Message, Response: Message>: Sendable {
    /// The service's full name, such as `conversionreports.v1.ReportService`.
    public let service: String
    /// The method's name in the proto file, such as `GetReport`.
    public let name: String
    /// Whether the client sends any number of requests.
    public let isClientStreaming: Bool
    /// Whether the server sends any number of responses.
    public let isServerStreaming: Bool

    public init(
        service: String, name: String, isClientStreaming: Bool = false,
        isServerStreaming: Bool = false
    ) {
        self.service = service
        self.name = name
        self.isClientStreaming = isClientStreaming
        self.isServerStreaming = isServerStreaming
    }

    /// The path of gRPC's HTTP/2 request: `/conversionreports.v1.ReportService/GetReport`.
    public var path: String { "/\(service)/\(name)" }
}
