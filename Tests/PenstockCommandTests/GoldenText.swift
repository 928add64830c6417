// Foundation reads and writes files; nothing else of it is used.
import Foundation
import Testing

/// The texts in `Golden`, beside this one.
///
/// `PENSTOCK_UPDATE_GOLDEN=1 swift test` writes what the program says now, to be read in the
/// change.
enum GoldenText {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "Golden")

    /// Compares a text with the golden file of that name.
    static func expect(
        _ text: String, toBe name: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let file = folder.appending(path: name)
        if ProcessInfo.processInfo.environment["PENSTOCK_UPDATE_GOLDEN"] != nil {
            try Data(text.utf8).write(to: file)
        }
        let golden = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        #expect(text == golden, sourceLocation: sourceLocation)
    }
}
