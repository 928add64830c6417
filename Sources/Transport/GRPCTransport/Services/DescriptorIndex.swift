package import Protobuf

/// Finds proto files by their names and by what they declare.
package struct DescriptorIndex: Sendable {
    private var filesByName: [String: FileDescriptor] = [:]
    private var fileNamesBySymbol: [String: String] = [:]

    package init(_ files: [FileDescriptor]) {
        for file in files {
            filesByName[file.name] = file
            for symbol in file.symbols { fileNamesBySymbol[symbol] = file.name }
        }
    }

    func declares(_ symbol: String) -> Bool { fileNamesBySymbol[symbol] != nil }

    /// A file followed by all those that it needs, serialized; `nil` if there is no such file.
    package func file(named name: String) -> [[UInt8]]? {
        guard filesByName[name] != nil else { return nil }
        var found: [[UInt8]] = []
        var seen: Set<String> = [name]
        var waiting = [name]
        while let next = waiting.popLast() {
            guard let file = filesByName[next] else { continue }
            found.append(file.serialized)
            waiting += file.dependencies.filter { seen.insert($0).inserted }
        }
        return found
    }

    /// The file that declares a message, enum, service, method and so on, with all that it needs.
    func file(declaring symbol: String) -> [[UInt8]]? {
        fileNamesBySymbol[symbol].flatMap { file(named: $0) }
    }
}
