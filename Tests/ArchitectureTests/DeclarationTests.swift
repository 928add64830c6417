import Foundation
import Testing

/// Names are counted, not resolved: a name that two declarations share counts as used when one of
/// them is.
@Suite("Every declaration is used, and `unsafe` stays where the design allows it")
struct DeclarationTests {
    private let sources: [SourceTree.File]
    private let tests: [SourceTree.File]

    init() throws {
        sources = try SourceTree.sources().files.filter { !$0.isGenerated }
        tests = try SourceTree.tests().files
    }

    @Test("what a module shows is used by somebody")
    func publicNames() {
        // Called by a syntax instead of a name: interpolation, `dynamicCallable`, printing, entry
        // points.
        let called: Set = [
            "appendInterpolation", "appendLiteral", "callAsFunction", "description",
            "debugDescription", "hash", "main", "body", "testDescription",
            // Asked for by `Clock`.
            "minimumResolution",
        ]
        let declared = Words.declarations(in: sources)
        let written = Words.all(in: sources + tests)
        for file in sources {
            for (name, line) in Words.shown(in: file) where !called.contains(String(name)) {
                #expect(
                    written[name, default: 0] > declared[name, default: 0],
                    "\(file.path):\(line): nobody uses \(name)")
            }
        }
    }

    @Test("what a protocol asks for is called by somebody")
    func requirements() {
        let declared = Words.declarations(in: sources)
        let written = Words.all(in: sources)
        for file in sources {
            for (name, line) in Words.requirements(in: file) where name != "description" {
                #expect(
                    written[name, default: 0] > declared[name, default: 0],
                    "\(file.path):\(line): nobody calls \(name)")
            }
        }
    }

    @Test("unsafe code is in what wraps a C library or the system")
    func unsafe() {
        let allowed = [
            "Base/", "Connectors/", "Transport/GRPCTransport/",
            "Tooling/Metrics/AdminEndpoint.swift",
            // What stands between the command and the process it runs in: signals, descriptors, the
            // terminal.
            "Program/PenstockCommand/Process/",
            // Standard error is written without a lock of the standard library's.
            "Tooling/Logging/LogHandler.swift",
            // Eight bytes at a time.
            "Pipeline/PipelineCore/Records/Digest.swift",
            // Reads the system's zone files.
            "Pipeline/PipelineCore/Time/Zones/TimeZone.swift",
            // Runs jobs on its own executor, one at a time.
            "Pipeline/PipelineSimulation/Simulator/SimulatedProcess.swift",
            // Lists a folder.
            "Testing/PipelineTesting/Transcripts/BatchingTranscript.swift",
        ]
        for path in sources.filter(Words.isUnsafe).map(\.path) {
            #expect(allowed.contains(where: path.hasPrefix), "\(path) is unsafe")
        }
        for prefix in allowed {
            let isNeeded = sources.contains { $0.path.hasPrefix(prefix) && Words.isUnsafe($0) }
            #expect(isNeeded, "\(prefix) needs no leave to be unsafe")
        }
    }
}

/// The words of the sources without their comments.
private enum Words {
    private static let declaring: Set = [
        "func", "var", "let", "struct", "enum", "class", "actor", "protocol", "typealias", "case",
    ]
    private static let modifiers: Set = [
        "final", "static", "mutating", "nonmutating", "consuming", "borrowing", "indirect",
        "nonisolated", "override", "required", "unsafe", "convenience",
    ]

    static func all(in files: [SourceTree.File]) -> [Substring: Int] {
        count(files.flatMap { $0.lines.flatMap(words(of:)) })
    }

    static func declarations(in files: [SourceTree.File]) -> [Substring: Int] {
        count(
            files.flatMap { file in
                let words = file.lines.flatMap(words(of:))
                return zip(words, words.dropFirst()).filter { declaring.contains(String($0.0)) }
                    .map(\.1)
            })
    }

    /// The names that stand behind `public` or `package`, with their lines.
    static func shown(in file: SourceTree.File) -> [(Substring, Int)] {
        names(in: file.lines.enumerated()) { words in
            guard let first = words.first, first == "public" || first == "package" else {
                return nil
            }
            return words.dropFirst()
        }
    }

    /// The names of a protocol's requirements, with their lines.
    static func requirements(in file: SourceTree.File) -> [(Substring, Int)] {
        var isInside = false
        var found: [(offset: Int, element: Substring)] = []
        for (number, line) in file.lines.enumerated() {
            if line == "}" { isInside = false }
            if isInside { found.append((number, line)) }
            if !line.hasPrefix(" "), line.hasSuffix("{"), words(of: line).contains("protocol") {
                isInside = true
            }
        }
        return names(in: found) { $0[...] }
    }

    private static func names(
        in lines: some Sequence<(offset: Int, element: Substring)>,
        behind start: ([Substring]) -> ArraySlice<Substring>?
    ) -> [(Substring, Int)] {
        lines.compactMap { number, line in
            guard let rest = start(words(of: line)) else { return nil }
            let declaration = rest.drop { modifiers.contains(String($0)) }
            guard declaration.count > 1, declaring.contains(String(declaration.first!)) else {
                return nil
            }
            return (declaration.dropFirst().first!, number + 1)
        }
    }

    static func isUnsafe(_ file: SourceTree.File) -> Bool {
        file.lines.contains { line in
            words(of: line).contains("unsafe")
                && (line.contains("unsafe ") || line.contains("(unsafe)"))
        }
    }

    private static func words(of line: Substring) -> [Substring] {
        code(of: line).utf8.split { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                false
            default: true
            }
        }.map { Substring($0) }
    }

    private static func code(of line: Substring) -> Substring {
        guard line.utf8.contains(UInt8(ascii: "/")) else { return line }
        return line.range(of: "//").map { line[..<$0.lowerBound] } ?? line
    }

    private static func count(_ words: [Substring]) -> [Substring: Int] {
        words.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }
}
