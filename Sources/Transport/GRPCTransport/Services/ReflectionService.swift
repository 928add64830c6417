public import Protobuf

/// Server reflection, `grpc.reflection.v1` and `v1alpha`: what lets tools such as grpcurl call a
/// server without its proto files.
///
/// See <https://github.com/grpc/grpc/blob/master/doc/server-reflection.md>.
private struct ReflectionService: Sendable {
    typealias Request = Grpc_Reflection_V1_ServerReflectionRequest
    typealias Response = Grpc_Reflection_V1_ServerReflectionResponse

    let index: DescriptorIndex
    /// The full names of the services that the server answers.
    let services: @Sendable () -> [String]

    func response(to request: Request) -> Response {
        .with { response in
            response.validHost = request.host
            response.originalRequest = request
            response.messageResponse = answer(to: request.messageRequest)
        }
    }

    private func answer(
        to request: Request.OneOf_MessageRequest?
    ) -> Response.OneOf_MessageResponse {
        switch request {
        case .fileByFilename(let name): files(index.file(named: name), orNotFound: "file \(name)")
        case .fileContainingSymbol(let symbol):
            files(index.file(declaring: symbol), orNotFound: "symbol \(symbol)")
        case .fileContainingExtension(let request):
            // proto3 has no extensions but options, which nobody asks for this way.
            files(
                nil,
                orNotFound: "extension \(request.extensionNumber) of \(request.containingType)")
        case .allExtensionNumbersOfType(let type):
            index.declares(type)
                ? .allExtensionNumbersResponse(.with { $0.baseTypeName = type })
                : files(nil, orNotFound: "type \(type)")
        case .listServices:
            .listServicesResponse(
                .with { list in
                    list.service = services().map { name in .with { $0.name = name } }
                })
        case nil: error(.invalidArgument, "the request asks for nothing")
        }
    }

    private func files(
        _ files: [[UInt8]]?, orNotFound what: String
    ) -> Response.OneOf_MessageResponse {
        guard let files else { return error(.notFound, "there is no \(what)") }
        return .fileDescriptorResponse(.with { $0.fileDescriptorProto = files })
    }

    private func error(
        _ code: GRPCStatusCode, _ message: String
    ) -> Response.OneOf_MessageResponse {
        .errorResponse(
            .with {
                $0.errorCode = code.rawValue
                $0.errorMessage = message
            })
    }
}

extension GRPCServer {
    /// Adds server reflection. Only before ``start()``.
    ///
    /// - Parameter files: The proto files of the server's services and all that they import; the
    ///   standard services' own are added.
    public func addReflection(of files: [FileDescriptor]) {
        // Both versions have the same messages on the wire.
        let paths = [
            Grpc_Reflection_V1_ServerReflectionMethods.serverReflectionInfo.path,
            Grpc_Reflection_V1alpha_ServerReflectionMethods.serverReflectionInfo.path,
        ]
        let service = ReflectionService(
            index: DescriptorIndex(files + GRPCDescriptors.files),
            services: { [weak self] in self?.services ?? [] })
        for path in paths {
            stream(path) { call throws(GRPCStatusError) in
                let stream = MessageServerStream<
                    ReflectionService.Request, ReflectionService.Response
                >(call)
                while let request = try await stream.receive() {
                    try await stream.send(service.response(to: request))
                }
            }
        }
    }
}

/// Finds proto files by their names and by what they declare.
package struct DescriptorIndex: Sendable {
    private var filesByName: [String: FileDescriptor] = [:]
    private var fileNamesBySymbol: [String: String] = [:]

    package init(_ files: [FileDescriptor]) {
        for file in files {
            filesByName[file.name] = file
            for symbol in file.symbols { fileNamesBySymbol[symbol] = file.name }
        }
    }

    fileprivate func declares(_ symbol: String) -> Bool { fileNamesBySymbol[symbol] != nil }

    /// A file followed by all those that it needs, serialized; `nil` if there is no such file.
    package func file(named name: String) -> [[UInt8]]? {
        guard filesByName[name] != nil else { return nil }
        var found: [[UInt8]] = []
        var seen: Set<String> = [name]
        var waiting = [name]
        while let next = waiting.popLast() {
            guard let file = filesByName[next] else { continue }
            found.append(file.serialized)
            waiting += file.dependencies.filter { seen.insert($0).inserted }
        }
        return found
    }

    /// The file that declares a message, enum, service, method and so on, with all that it needs.
    fileprivate func file(declaring symbol: String) -> [[UInt8]]? {
        fileNamesBySymbol[symbol].flatMap { file(named: $0) }
    }
}
