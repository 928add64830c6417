internal import AdminMessages
internal import CommandLineInterface
internal import ConfigurationFields
internal import DryRunReport
internal import GRPCTransport

private struct ReloadOptions: Settings {
    static let summary =
        "Makes a running process read its pipeline files anew, and says how it went."
    let server: String
    let credential: ClientCredential
    let timeout: Duration

    init(_ field: Fields) {
        server = field.argument(
            "SERVER", "The process's admin service, as its --admin-service says.",
            example: "unix:/run/penstock/admin.sock")
        credential = ClientCredential(field)
        timeout = field(
            "timeout", "How long to wait for the answer.", default: .seconds(120),
            in: .seconds(1) ... .seconds(3600))
    }
}

extension PenstockCommand {
    static let reload = Command(
        "reload", ReloadOptions.self,
        details: """
            As SIGHUP, with an answer: 0 when the new files are in force, and what keeps them from \
            being ready if something does; 1 when they are not in order or can't run there, and the \
            old ones go on. Where no answer comes in time, the reload goes on in the process.
            """,
        examples: [.init("unix:/run/penstock/admin.sock", "After the files were edited.")]
    ) { options, console in
        let admin = try AdminClient(AdminAddress(options.server, options.credential))
        let response: AdminReloadPipelinesResponse
        do {
            response = try await admin.send(
                AdminAdminServiceMethods.reloadPipelines, AdminReloadPipelinesRequest(),
                timeout: options.timeout)
        } catch {
            guard (error as? GRPCStatusError)?.code == .deadlineExceeded else {
                throw (error as? GRPCStatusError).map(admin.failure) ?? error
            }
            throw CommandFailure(
                .unavailable,
                "\(options.server): no answer within \(options.timeout.spoken); a reload that has begun goes on in the process: how it ended is in its log (\"reload: goes on with the new files\", \"reload refused\", \"reload undone\") and in penstock_reloads_total"
            )
        }
        console.out("reloaded: \(response.pipelines.joined(separator: ", "))\n")
        if !response.notReady.isEmpty {
            console.err("not ready yet, and tried again: \(response.notReady)\n")
        }
        return .success
    }
}
