import Foundation
import Testing

@Suite("The sources keep the house rules")
struct StyleTests {
    private let files: [SourceTree.File]

    init() throws {
        files = try SourceTree.sources().files.filter { !$0.isGenerated }
    }

    @Test("no file is longer than 400 lines")
    func length() {
        for file in files {
            #expect(file.lines.count <= 400, "\(file.path) has \(file.lines.count) lines")
        }
    }

    @Test("no line is wider than 100 columns, a text's own lines excepted")
    func width() throws {
        for file in try files + SourceTree.tests().files {
            var isText = false
            for (number, line) in file.lines.enumerated() {
                let quotes = line.components(separatedBy: "\"\"\"").count - 1
                let isInText = isText || line.utf8.contains(UInt8(ascii: "\""))
                if quotes % 2 == 1 { isText.toggle() }
                if line.utf8.count <= 100 || isInText { continue }
                let columns = line.count
                #expect(columns <= 100, "Line \(number + 1) of \(file.path) has \(columns)")
            }
        }
    }

    @Test("no folder of a target holds one file")
    func folders() {
        // A target's own folder is two deep below `Sources`, as a stage's is.
        var contents: [Substring: Set<Substring>] = [:]
        for file in files {
            var path = file.path[...]
            while let slash = path.lastIndex(of: "/") {
                contents[path[..<slash], default: []].insert(path)
                path = path[..<slash]
            }
        }
        for (folder, entries) in contents where folder.split(separator: "/").count > 2 {
            #expect(entries.count > 1, "\(folder) holds \(entries)")
        }
    }

    @Test("no folder or file has a name that says nothing")
    func names() {
        let empty: Set = ["Utils", "Util", "Common", "Helpers", "Helper", "Misc"]
        for file in files {
            let parts = file.path.split(separator: "/").map {
                $0.hasSuffix(".swift") ? String($0.dropLast(6)) : String($0)
            }
            #expect(empty.isDisjoint(with: parts), "\(file.path)")
        }
    }

    @Test("the injected executor and clock are left alone, and no task goes its own way")
    func injection() {
        let ways = [
            " Task {", " Task(", "Task.detached", "Task.immediate", "Task.sleep",
            "ContinuousClock()", "DispatchQueue", "@MainActor",
        ]
        let allowed: Set = [
            // The system's clock itself.
            "Pipeline/PipelineCore/Time/PipelineClock.swift: ContinuousClock()",
            // A limit to what may never end: a task group would wait for the loser.
            "Base/Concurrency/StructuredTasks.swift:  Task {",
            // Keeps to the executor that it is called on, and is waited for.
            "Base/Concurrency/StructuredTasks.swift:  Task(",
            // A process is a task on the simulator's own executor.
            "Pipeline/PipelineSimulation/Simulator/SimulatedProcess.swift:  Task(",
            // A call is the library's to begin and to cancel.
            "Transport/GRPCTransport/Server/RequestedCall.swift:  Task(",
        ]
        var seen: Set<String> = []
        for file in files where !file.isOfTests {
            for way in ways
            where file.lines.contains(where: { $0.contains(way) && !$0.contains("//") }) {
                let use = "\(file.path): \(way)"
                seen.insert(use)
                #expect(allowed.contains(use), "\(file.path) uses \(way)")
            }
        }
        #expect(allowed.subtracting(seen) == [], "needs no leave any more")
    }

    @Test("the top level is what the design fixes")
    func topLevel() throws {
        let allowed: Set = [
            "Package.swift", "Package.resolved", "Sources", "Tests", "Pipelines", "Protos",
            "deploy", "README.md", "data",
        ]
        let entries = try FileManager.default.contentsOfDirectory(atPath: SourceTree.root.path)
        #expect(Set(entries.filter { !$0.hasPrefix(".") }).isSubset(of: allowed))
    }
}
