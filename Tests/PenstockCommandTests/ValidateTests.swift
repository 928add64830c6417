// Foundation makes files; nothing else of it is used.
import CommandLineInterface
import Foundation
import Testing

/// `Golden/validate` holds pipeline files, and what is said of them in each format.
@Suite("penstock validate")
struct ValidateTests {
    private static let folder = GoldenText.folder.appending(path: "validate")

    /// What is printed for files of the folder, named as if it were the working directory.
    private func validate(
        _ files: [String], _ options: [String] = [], on terminal: Terminal = Terminal(),
        _ expected: ExitCode = .configuration
    ) async -> String {
        let paths = files.map { Self.folder.appending(path: $0).path }
        #expect(await terminal.penstock(["validate"] + options + paths) == expected)
        #expect(terminal.err == "")
        return terminal.out.replacing(Self.folder.path + "/", with: "")
    }

    @Test("says everything that is wrong, a line each", arguments: ["text", "json", "github"])
    func formats(_ format: String) async throws {
        let text = await validate(["wrong.json"], ["--format", format])
        try GoldenText.expect(text, toBe: "validate/wrong.as-\(format)")
    }

    @Test("shows a person the line with a caret, and in colour where that is welcome")
    func terminal() async throws {
        let plain = await validate(["wrong.json"], on: Terminal(isTerminal: true))
        try GoldenText.expect(plain, toBe: "validate/wrong.terminal")
        let coloured = await validate(
            ["wrong.json"], on: Terminal(isTerminal: true, allowsColour: true))
        try GoldenText.expect(coloured, toBe: "validate/wrong.coloured")
        #expect(coloured.replacing(/\u{1B}\[[0-9;]*m/, with: "") == plain)
    }

    @Test("reads several files, those behind an unreadable one, too")
    func several() async throws {
        let files = ["nowhere.json", "wrong.json", "left.json", "right.json"]
        try GoldenText.expect(await validate(files), toBe: "validate/several.text")
    }

    @Test("passes over a schema that a pattern brings along, but not one that is all it gets")
    func schema() async {
        let alone = await validate(["good.json"], [], .success)
        #expect(await validate(["good.json", "some.schema.json"], [], .success) == alone)
        #expect(await validate(["some.schema.json"]).contains("some.schema.json"))
    }

    @Test("tells what a case waits at worst, and what is assumed")
    func note() async throws {
        let text = await validate(["good.json"], [], .success)
        try GoldenText.expect(text, toBe: "validate/good.text")
        try GoldenText.expect(
            await validate(["good.json"], ["--format", "github"], .success),
            toBe: "validate/good.github")
    }

    @Test("finds what only files together have: names, APIs and circles")
    func together() async throws {
        for file in ["left.json", "right.json"] { _ = await validate([file], [], .success) }
        let circle = await validate(["left.json", "right.json"], [], .success)
        try GoldenText.expect(circle, toBe: "validate/circle.text")
        let twice = await validate(["good.json", "good.json"])
        try GoldenText.expect(twice, toBe: "validate/twice.text")
    }

    @Test("warns of variables that are not set here, and refuses them where the file is to run")
    func levels() async throws {
        try GoldenText.expect(
            await validate(["elsewhere.json"], [], .success), toBe: "validate/elsewhere.static")
        try GoldenText.expect(
            await validate(["elsewhere.json"], ["--level", "env"]),
            toBe: "validate/elsewhere.env")
    }

    @Test("finds the shipped files in order")
    func shipped() async {
        let pipelines = GoldenText.folder.deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Pipelines")
        let terminal = Terminal()
        let files = ["conversion-reports.json", "conversion-events.json"].map {
            pipelines.appending(path: $0).path
        }
        #expect(await terminal.penstock(["validate"] + files) == .success)
        #expect(!terminal.out.contains("warning["), "\(terminal.out)")
    }
}
