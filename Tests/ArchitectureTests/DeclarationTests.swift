import Foundation
import Testing

/// Names are counted, not resolved: a name that two declarations share counts as used when one of
/// them is.
@Suite("Every declaration is used, and `unsafe` stays where the design allows it")
struct DeclarationTests {
    private let sources: [SourceTree.File]
    /// What runs: neither tests nor what they are made of, and what a generator wrote as well.
    private let program: [SourceTree.File]
    private let tests: [SourceTree.File]

    init() throws {
        let all = try SourceTree.sources().files
        sources = all.filter { !$0.isGenerated }
        program = all.filter { !$0.isOfTests }
        tests = try SourceTree.tests().files
    }

    /// Called by a syntax instead of a name: interpolation, `dynamicCallable`, printing, entry
    /// points; and what `Clock` asks for.
    private static let called: Set = [
        "appendInterpolation", "appendLiteral", "callAsFunction", "description",
        "debugDescription", "hash", "main", "body", "testDescription", "minimumResolution",
    ]

    @Test("what a module shows is used by somebody")
    func publicNames() {
        let declared = Words.declarations(in: sources)
        let written = Words.all(in: sources + tests)
        for file in sources {
            for (name, line) in Words.shown(in: file) where !Self.called.contains(String(name)) {
                #expect(
                    written[name, default: 0] > declared[name, default: 0],
                    "\(file.path):\(line): nobody uses \(name)")
            }
        }
    }

    @Test("what a module shows that strangers don't get is used by the program, not by tests alone")
    func innerNames() throws {
        let kafka = "Connectors/Kafka/Client/MockCluster.swift"
        let simulation = "Pipeline/PipelineSimulation"
        let allowed: Set = [
            // A cluster in the process, and what another client does to a group or in a
            // transaction.
            "\(kafka): createTopic", "\(kafka): setBroker", "\(kafka): ForeignGroupTool",
            "\(kafka): ForeignTransaction",
            // Ends a log at a moment that a test chooses.
            "Connectors/SQLite/Database/SQLiteDatabase.swift: checkpoint",
            // The world that tests run pipelines in has more faults than a dry run needs.
            "\(simulation)/Resources/SimulatedStore.swift: SimulatedStore",
            "\(simulation)/Resources/SimulatedStore.swift: lose",
            "\(simulation)/Simulator/SimulatedProcess.swift: kill",
            "\(simulation)/Simulator/SimulatedProcess.swift: stall",
            "\(simulation)/Simulator/Simulator.swift: runScenario",
        ]
        let offered = try SourceTree.offered()
        #expect(offered.contains("PipelineCore"))
        let declared = Words.declarations(in: program)
        let written = Words.all(in: program)
        var unused: Set<String> = []
        for file in program where !file.isGenerated && !offered.contains(file.target) {
            for (name, line) in Words.shown(in: file) where !Self.called.contains(String(name)) {
                if written[name, default: 0] > declared[name, default: 0] { continue }
                unused.insert("\(file.path): \(name)")
                #expect(
                    allowed.contains("\(file.path): \(name)"),
                    "\(file.path):\(line): the program does not use \(name)")
            }
        }
        #expect(allowed.subtracting(unused) == [], "needs no leave any more")
    }

    @Test("what a protocol asks for is called by the program")
    func requirements() {
        let allowed: Set<String> = []
        let calls = Calls(in: program)
        var uncalled: Set<String> = []
        for file in program where !file.isGenerated {
            for requirement in Calls.requirements(in: file) where !calls.contain(requirement) {
                uncalled.insert(requirement.description)
                #expect(
                    allowed.contains(requirement.description),
                    "\(file.path): the program does not call \(requirement)")
            }
        }
        #expect(allowed.subtracting(uncalled) == [], "needs no leave any more")
    }

    @Test("unsafe code is in what wraps a C library or the system")
    func unsafe() {
        let allowed = [
            "Base/", "Connectors/", "Transport/GRPCTransport/",
            "Transport/Identity/", "Tooling/AdminHTTP/",
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

    static func code(of line: Substring) -> Substring {
        guard line.utf8.contains(UInt8(ascii: "/")) else { return line }
        return line.range(of: "//").map { line[..<$0.lowerBound] } ?? line
    }

    private static func count(_ words: [Substring]) -> [Substring: Int] {
        words.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }
}

/// Calls as they are written: a name with the labels of its arguments.
private struct Calls {
    struct Requirement: CustomStringConvertible {
        var type: String
        var name: String
        /// `nil` for a property.
        var labels: [String]?

        var description: String {
            "\(type).\(name)" + (labels.map { "(\($0.map { "\($0):" }.joined()))" } ?? "")
        }
    }

    private var signatures: Set<String> = []
    private var members: Set<String> = []

    init(in files: [SourceTree.File]) {
        for file in files {
            let text = Text(file.lines)
            for word in text.words where !word.isDeclared {
                if word.isMember { members.insert(word.name) }
                if let labels = text.labels(at: word.end) {
                    signatures.insert(Self.signature(word.name, labels))
                }
            }
        }
    }

    /// Whether the program has such a call; the last argument may be a closure behind it.
    func contain(_ requirement: Requirement) -> Bool {
        guard let labels = requirement.labels else { return members.contains(requirement.name) }
        return [labels, labels.dropLast()].contains {
            signatures.contains(Self.signature(requirement.name, $0))
        }
    }

    private static func signature(_ name: String, _ labels: some Sequence<String>) -> String {
        "\(name)(\(labels.map { "\($0):" }.joined()))"
    }

    /// What the protocols of a file ask for.
    static func requirements(in file: SourceTree.File) -> [Requirement] {
        var found: [Requirement] = []
        var rest = file.lines[...]
        while let start = rest.firstIndex(where: {
            !$0.hasPrefix(" ") && $0.hasSuffix("{") && $0.contains("protocol ")
        }) {
            let end = rest[start...].firstIndex { $0 == "}" } ?? rest.endIndex
            let head = Text(rest[start...start]).words
            let body = Text(rest[(start + 1)..<end])
            if let at = head.firstIndex(where: { $0.name == "protocol" }) {
                for word in body.words where word.isDeclared {
                    found.append(
                        Requirement(
                            type: head[at + 1].name, name: word.name,
                            labels: word.isFunction ? body.labels(at: word.end) : nil))
                }
            }
            rest = rest[end...]
        }
        return found
    }
}

/// Source text without comments, as bytes.
private struct Text {
    struct Word {
        var name: String
        var end: Int
        /// Behind a dot.
        var isMember = false
        /// Behind `func` or `var`.
        var isDeclared = false
        var isFunction = false
    }

    private let bytes: [UInt8]

    init(_ lines: some Sequence<Substring>) {
        bytes = lines.flatMap { Array(Words.code(of: $0).utf8) + [UInt8(ascii: "\n")] }
    }

    var words: [Word] {
        var found: [Word] = []
        var index = 0
        while index < bytes.count {
            let start = index
            guard let name = word(at: &index) else {
                index += 1
                continue
            }
            let before = found.last.map { last in
                bytes[last.end..<start].allSatisfy { $0 == UInt8(ascii: " ") } ? last.name : ""
            }
            found.append(
                Word(
                    name: name, end: index,
                    isMember: start > 0 && bytes[start - 1] == UInt8(ascii: "."),
                    isDeclared: before == "func" || before == "var", isFunction: before == "func"))
        }
        return found
    }

    /// The labels of the arguments or parameters that stand in parentheses there, or behind
    /// generic parameters; `nil` without any parentheses.
    func labels(at index: Int) -> [String]? {
        var index = index
        if index < bytes.count, bytes[index] == UInt8(ascii: "<") {
            index = bytes[index...].firstIndex(of: UInt8(ascii: "(")) ?? bytes.count
        }
        guard index < bytes.count, bytes[index] == UInt8(ascii: "(") else { return nil }
        var labels: [String] = []
        var depth = 0
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
            default: break
            }
            if depth == 0 { break }
            let isFirst = byte == UInt8(ascii: "(") && depth == 1 && labels.isEmpty
            guard isFirst || byte == UInt8(ascii: ",") && depth == 1 else { continue }
            skipSpace(&index)
            if index < bytes.count, bytes[index] == UInt8(ascii: ")") { continue }
            labels.append(label(at: index))
        }
        return labels
    }

    /// `name:`, or `name other:` in a declaration; `_` for an argument without one.
    private func label(at index: Int) -> String {
        var index = index
        guard let name = word(at: &index) else { return "_" }
        skipSpace(&index)
        _ = word(at: &index)
        let isLabel = index < bytes.count && bytes[index] == UInt8(ascii: ":")
        return isLabel ? name : "_"
    }

    private func word(at index: inout Int) -> String? {
        let start = index
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                index += 1
                continue
            default: break
            }
            break
        }
        return index > start ? String(decoding: bytes[start..<index], as: UTF8.self) : nil
    }

    private func skipSpace(_ index: inout Int) {
        while index < bytes.count, bytes[index] == 0x20 || bytes[index] == 0x0A { index += 1 }
    }
}
