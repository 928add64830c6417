internal import GRPCTransport
public import PipelineCore

extension RemoteGenerator {
    /// Asks each address for its health, side by side; has nothing generated.
    ///
    /// - Parameter timeout: how long each may take.
    public static func inspect(
        _ addresses: GeneratorAddresses, timeout: Duration
    ) async -> [ResourceFinding] {
        await withTaskGroup(of: (Int, ResourceFinding).self) { group in
            for (index, target) in addresses.targets.enumerated() {
                group.addTask { (index, await finding(on: target, timeout)) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
                .sorted { $0.key < $1.key }.map(\.value)
        }
    }

    private static func finding(on target: String, _ timeout: Duration) async -> ResourceFinding {
        let subject = "generator \(target)"
        let endpoint: GRPCGeneratorEndpoint
        do throws(GRPCError) { endpoint = try GRPCGeneratorEndpoint(target) } catch {
            return ResourceFinding(subject, .unknown, error.message)
        }
        do throws(GRPCStatusError) {
            return try await endpoint.isServing(timeout: timeout)
                ? ResourceFinding(subject, .ok, "is serving")
                : ResourceFinding(subject, .wrong, "says that it is not serving")
        } catch {
            switch error.code {
            case .unimplemented:
                return ResourceFinding(subject, .ok, "answers, and has no health service to ask")
            case .notFound:
                return ResourceFinding(
                    subject, .wrong, "answers, and is no generator",
                    hint: "`penstock generate` serves one")
            default:
                let said = error.message.isEmpty ? error.code.name : error.message
                return ResourceFinding(subject, .unreachable, "can't be reached: \(said)")
            }
        }
    }
}
