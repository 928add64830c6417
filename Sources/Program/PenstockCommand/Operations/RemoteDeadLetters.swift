internal import AdminMessages
internal import CommandLineInterface
internal import GRPCTransport
internal import PipelineCore
internal import Protobuf

/// What operators do with dead letters, asked of the admin service of a process that runs the
/// pipeline.
struct RemoteDeadLetters: DeadLetterOperations {
    /// How long a replay or a drop may take: what is not done by then is done by the next one.
    private static let patience = Duration.minutes(10)

    private let pipeline: String
    private let admin: AdminClient

    /// - Parameter pipeline: its name.
    /// - Throws: ``CommandFailure`` `usage` for what is no address.
    init(_ address: AdminAddress, pipeline: String) throws {
        self.pipeline = pipeline
        admin = try AdminClient(address)
    }

    func close() async {}

    func page(
        of place: LetterPlace?, _ filter: DeadLetterFilter, after token: String?, limit: Int
    ) async throws -> DeadLetterPage {
        let response = try await admin.call(
            AdminAdminServiceMethods.listDeadLetters,
            .with {
                $0.pipeline = pipeline
                $0.place = AdminDeadLetterPlace(place)
                $0.filter = AdminDeadLetterFilter(filter)
                $0.withSettled = filter.includesSettled
                $0.pageSize = Int32(clamping: min(limit, AdminService.mostLetters))
                $0.pageToken = token ?? ""
            })
        return DeadLetterPage(
            letters: response.deadLetters.compactMap(\.entry),
            next: response.nextPageToken.isEmpty ? nil : response.nextPageToken,
            total: response.totalCount.map { Int($0) })
    }

    func letter(_ id: DeadLetterID) async throws -> DeadLetterEntry? {
        do {
            return try await admin.send(
                AdminAdminServiceMethods.getDeadLetter,
                .with {
                    $0.pipeline = pipeline
                    $0.id = "\(id)"
                }
            ).deadLetter?.entry
        } catch {
            if error.code == .notFound, error.message.hasPrefix(AdminService.noLetter) {
                return nil
            }
            throw admin.failure(error)
        }
    }

    func replay(_ chosen: ChosenLetters) async throws -> DeadLetterReplayed {
        let response = try await admin.call(
            AdminAdminServiceMethods.replayDeadLetters,
            .with {
                $0.pipeline = pipeline
                ($0.ids, $0.filter) = chosen.message
            }, timeout: Self.patience)
        return DeadLetterReplayed(
            count: Int(response.replayedCount), stuckCount: Int(response.stuckCount),
            problems: response.problems)
    }

    func drop(_ chosen: ChosenLetters) async throws -> Int {
        Int(
            try await admin.call(
                AdminAdminServiceMethods.dropDeadLetters,
                .with {
                    $0.pipeline = pipeline
                    ($0.ids, $0.filter) = chosen.message
                }, timeout: Self.patience
            ).droppedCount)
    }
}

extension ChosenLetters {
    fileprivate var message: (ids: [String], filter: AdminDeadLetterFilter?) {
        switch self {
        case .all(let filter): ([], AdminDeadLetterFilter(filter))
        case .ids(let ids): (ids.map(\.description), nil)
        }
    }
}
