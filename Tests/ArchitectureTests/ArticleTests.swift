import Foundation
import Testing

@Suite("Articles name what is there")
struct ArticleTests {
    private struct Article {
        var name: String
        var text: String
    }
    private let articles: [Article]

    init() throws {
        let folder = SourceTree.root.appending(path: "Sources/Penstock.docc")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        let paths =
            names.filter { $0.hasSuffix(".md") }.map { folder.appending(path: $0) }
            + [SourceTree.root.appending(path: "README.md")]
        articles = try paths.map {
            Article(
                name: $0.lastPathComponent, text: try String(contentsOf: $0, encoding: .utf8))
        }
    }

    @Test(
        "every path of the repository in them exists, and every test behind a path is in its file")
    func paths() throws {
        var paths = 0
        var names = 0
        for article in articles {
            // `Tests/…`, a function behind `::`, and then any number of names in quotes.
            let place = /`((?:Tests|Sources|deploy)\/[^`\s:]+)(?:::(\w+))?`((?:[:,\s]*"[^"]+")*)/
            for match in article.text.matches(of: place) {
                let (_, path, function, quoted) = match.output
                // Whoever deploys makes it.
                if path == "deploy/.env" { continue }
                paths += 1
                let file = SourceTree.root.appending(path: String(path))
                guard FileManager.default.fileExists(atPath: file.path) else {
                    Issue.record("\(article.name): there is no \(path)")
                    continue
                }
                if function == nil && quoted.isEmpty { continue }
                let text = try String(contentsOf: file, encoding: .utf8)
                for wanted in function.map({ ["def \($0)("] }) ?? Self.names(in: quoted) {
                    names += 1
                    #expect(text.contains(wanted), "\(article.name): \(path) has no \(wanted)")
                }
            }
        }
        // A pattern that finds nothing finds no mistake either.
        #expect(paths > 50 && names > 30)
    }

    /// As they stand in the source, quotes included; an article may break its lines within a name.
    private static func names(in quoted: Substring) -> [String] {
        quoted.matches(of: /"[^"]+"/).map {
            $0.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
    }

    @Test("a listing below the path of a file is that file, whole")
    func listings() throws {
        var listings = 0
        for article in articles {
            let listing = /`(Tests\/[^`\s]+)`\)?:\n\n```\w+\n((?:.|\n)*?)\n```\n/
            for match in article.text.matches(of: listing) {
                let path = String(match.output.1)
                listings += 1
                let file = try String(
                    contentsOf: SourceTree.root.appending(path: path), encoding: .utf8)
                #expect(match.output.2 + "\n" == file, "\(article.name): \(path)")
            }
        }
        #expect(listings > 4)
    }

    @Test("every file name in them is that of a file")
    func files() throws {
        let names = try SourceTree.sources().files.map { $0.path.split(separator: "/").last! }
        for article in articles {
            for match in article.text.matches(of: /`([\w+]+\.swift)`/) {
                let wanted = match.output.1
                #expect(names.contains(wanted), "\(article.name): there is no \(wanted)")
            }
        }
    }

    @Test("the promises have the same numbers and words for users and for whoever keeps them")
    func promises() throws {
        let told = try list(
            /(?m)^(\d+)\. \*\*([^*]+)\*\*/, "README.md", below: "## What is promised")
        let held = try list(/(?m)^### (\d+)\. (.+)$/, "Promises.md", below: "# Promises")
        #expect(told.count > 5)
        #expect(told == held)
    }

    private func list(
        _ pattern: Regex<(Substring, Substring, Substring)>, _ name: String, below heading: String
    ) throws -> [String] {
        let text = try #require(articles.first { $0.name == name }?.text)
        let start = try #require(text.range(of: heading)).upperBound
        let end =
            text.range(of: "\n## C", range: start..<text.endIndex)?.lowerBound ?? text.endIndex
        return text[start..<end].matches(of: pattern).map { "\($0.output.1) \($0.output.2)" }
    }
}
