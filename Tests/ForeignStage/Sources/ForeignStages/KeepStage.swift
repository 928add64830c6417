public import ConfigurationFields
public import PipelineCore

/// `keep`: hands on the records that contain a text.
public struct KeepStage: StagePlugin {
    enum Others: String, Choice { case dropped, refused }

    public static let type = "keep"
    public static let role = StageRole.transform
    public static let summary = "Hands on the records that contain a text."
    public static let guarantee =
        "Gives none and takes none: what it drops is settled with its chunk, what it refuses is a dead letter."
    public static let remarks = StageRemarks(kept: .others("without the text"))

    let text: String
    let others: Others

    public init(_ field: Fields) {
        text = field("containing", "What a payload has to contain.", example: "PAYMENT") {
            $0.isEmpty ? "is contained in everything; leave the stage out" : nil
        }
        others = field("others", "What becomes of all others.", default: .dropped)
    }

    public func contract(in catalogue: Catalogue) -> StageContract {
        var contract = StageContract { input in
            switch input {
            case nil: .refuses("a keep stands behind an ingest")
            case .batches?, .outcomes?: .refuses("a keep takes single records")
            case let input?: .yields(input)
            }
        }
        if others == .refused { contract.rejectionCodes = [.notWanted] }
        return contract
    }

    public func build(_ context: StageContext) throws -> StageInstance {
        .transform(
            Keeper(text: Array(text.utf8), refuses: others == .refused, stage: context.stage))
    }
}

extension ErrorCode {
    static let notWanted = ErrorCode(
        "not-wanted", .record, "A record lacks the text that a keep looks for.",
        remedy: "Nothing, or let the stage drop it: \"others\": \"dropped\".")

    /// What these stages throw or refuse with, for the catalogue.
    public static let ofForeignStages = [notWanted]
}

struct Keeper: Transform {
    let text: [UInt8]
    let refuses: Bool
    let stage: String

    func process(_ chunk: Chunk) async throws -> Chunk {
        var chunk = chunk
        let others = chunk.records.filter { !contains($0.payload) }
        if refuses {
            try await chunk.acknowledgement.reject(
                others.map {
                    Rejection($0, stage: stage, code: .notWanted, reason: "it lacks the text")
                })
        }
        chunk.records.removeAll { !contains($0.payload) }
        return chunk
    }

    private func contains(_ payload: Bytes) -> Bool {
        payload.indices.contains { payload[$0...].starts(with: text) }
    }
}
