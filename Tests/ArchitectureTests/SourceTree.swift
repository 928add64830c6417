import Foundation

/// The sources as they lie on disk: which target a file belongs to, and what it imports.
struct SourceTree {
    struct File {
        var path: String
        var target: String
        var imports: Set<String>
        var lines: [Substring]

        /// Written by a generator and kept as it wrote it.
        var isGenerated: Bool { path.contains("/Generated/") || path.hasSuffix(".pb.swift") }

        /// What tests are made of, and measured with: no part of the program.
        var isOfTests: Bool { path.hasPrefix("Testing/") }
    }

    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    let files: [File]

    /// The targets of the package's libraries: what strangers write stages with.
    static func offered() throws -> Set<String> {
        let manifest = try String(
            contentsOf: root.appending(path: "Package.swift"), encoding: .utf8)
        let libraries = manifest.matches(of: /\.library\(\s*name: "\w+",\s*targets: \[([^\]]*)\]/)
        return Set(libraries.flatMap { $0.output.1.matches(of: /\w+/).map { String($0.output) } })
    }

    private static let trees = Result { try ["Sources", "Tests"].map(load(_:)) }

    /// Everything below `Sources`.
    static func sources() throws -> SourceTree { try trees.get()[0] }

    /// Everything below `Tests`.
    static func tests() throws -> SourceTree { try trees.get()[1] }

    private static func load(_ folder: String) throws -> SourceTree {
        let sources = root.appending(path: folder)
        let found = FileManager.default.enumerator(atPath: sources.path)?.compactMap {
            $0 as? String
        }
        let paths = (found ?? []).filter { $0.hasSuffix(".swift") }.sorted()
        return SourceTree(
            files: try paths.map { path in
                let text = try String(contentsOf: sources.appending(path: path), encoding: .utf8)
                let lines = text.utf8.split(
                    separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
                ).map { Substring($0) }
                return File(
                    path: path, target: target(of: path), imports: imports(in: lines), lines: lines)
            })
    }

    /// `Stages` is one target with a folder a stage; elsewhere a layer has a folder a target.
    private static func target(of path: String) -> String {
        let parts = path.split(separator: "/").map(String.init)
        return parts[0] == "Stages" || parts.count < 2 ? parts[0] : parts[1]
    }

    private static func imports(in lines: [Substring]) -> Set<String> {
        let modules = lines.compactMap { line -> String? in
            let words = line.split(separator: " ")
            guard let at = words.firstIndex(of: "import"), at <= 2, at + 1 < words.count else {
                return nil
            }
            let isImport = words[..<at].allSatisfy {
                ["public", "internal", "private", "package", "@testable"].contains($0)
            }
            return isImport ? String(words[at + 1]) : nil
        }
        return Set(modules)
    }

    var imports: [String: Set<String>] {
        files.reduce(into: [:]) { $0[$1.target, default: []].formUnion($1.imports) }
    }
}
