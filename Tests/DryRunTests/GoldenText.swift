// Foundation reads and writes files; nothing else of it is used.
import Foundation
import Testing

/// The texts in `Golden`, beside this one.
///
/// `PENSTOCK_UPDATE_GOLDEN=1 swift test` writes what the code says now, to be read in the change.
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
        // The texts are long: their first difference says more than both of them.
        let place = zip(text.split(separator: "\n"), golden.split(separator: "\n"))
            .first { $0 != $1 }
        #expect(
            text == golden,
            "\(name) differs: \(place.map { "\"\($0)\" instead of \"\($1)\"" } ?? "in length")",
            sourceLocation: sourceLocation)
    }
}
