internal import Ledger
internal import PipelineCore

/// The `"char"` that stands for a state in the tables and in the functions' answers.
extension CaseState {
    var letter: UInt8 {
        switch self {
        case .pending: UInt8(ascii: "p")
        case .sealed: UInt8(ascii: "g")
        case .running: UInt8(ascii: "r")
        case .succeeded: UInt8(ascii: "s")
        case .failed: UInt8(ascii: "f")
        case .cancelled: UInt8(ascii: "c")
        case .expired: UInt8(ascii: "e")
        }
    }

    /// - Throws: retryable `store-damaged` for a letter that no ledger writes.
    init(letter: UInt8, of id: UUID) throws {
        guard let state = Self.allCases.first(where: { $0.letter == letter }) else {
            let shown = String(decoding: [letter], as: UTF8.self)
            throw PipelineError.damagedRow(of: "\(id)", "its state is \"\(shown)\"")
        }
        self = state
    }
}
