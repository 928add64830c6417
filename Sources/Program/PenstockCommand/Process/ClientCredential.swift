internal import CommandLineInterface
internal import ConfigurationDiagnostics
internal import ConfigurationFields
internal import GRPCTransport

/// The token with which a command calls a server.
///
/// It comes from a file or from the environment, never from the command line, which everybody on
/// the machine can read.
struct ClientCredential: Sendable {
    private static let variable = "PENSTOCK_TOKEN"
    private static let maxBytes = 8 << 10

    private let file: String?

    init(_ field: Fields) {
        file = field.optional(
            "token_file",
            "A file with the token, or the JWT, to call the server with. Without: \(Self.variable).",
            example: "/run/secrets/penstock-token")
    }

    /// What is sent along with every call.
    ///
    /// - Throws: ``CommandFailure`` `usage` for a file that can't be read, or has no token; never
    ///   with what is in it.
    var metadata: GRPCMetadata {
        get throws {
            guard let (token, origin) = try token else { return [:] }
            let isToken =
                !token.isEmpty && token.utf8.allSatisfy { (0x21...0x7E).contains($0) }
            guard isToken else { throw CommandFailure(.usage, "\(origin) has no token") }
            return ["authorization": "Bearer \(token)"]
        }
    }

    private var token: (text: String, origin: String)? {
        get throws {
            guard let file else {
                let value = ProcessEnvironment.variables[Self.variable] ?? ""
                return value.isEmpty ? nil : (value, Self.variable)
            }
            do {
                let bytes = try ProcessEnvironment.readFile(file, limit: Self.maxBytes)
                var text = String(decoding: bytes, as: UTF8.self)[...]
                while text.last?.isNewline == true { text.removeLast() }
                return (String(text), "--token-file \(file)")
            } catch let problem as Diagnostic {
                throw CommandFailure(.usage, "--token-file: \(problem.message)")
            }
        }
    }
}

/// The admin service of a process, and how it is called.
struct AdminAddress: Sendable {
    let server: String
    let credential: ClientCredential

    init(_ server: String, _ credential: ClientCredential) {
        self.server = server
        self.credential = credential
    }

    /// The options of commands that may go through an admin service; `nil` where they do not.
    init?(_ field: Fields) {
        let server: String? = field.optional(
            "server",
            "The admin service of a process that runs the pipeline, as its --admin-service says; PIPELINE is the pipeline's name then.",
            example: "unix:/run/penstock/admin.sock")
        let credential = ClientCredential(field)
        guard let server else { return nil }
        self.init(server, credential)
    }
}
