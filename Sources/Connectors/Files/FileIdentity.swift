internal import Glibc
public import PipelineCore

/// Which file a path leads to, found out without opening it: the same for every way to write the
/// path, through links and dots, also while the file is not there yet.
public struct FileIdentity: Sendable, Hashable {
    /// A name that no other file has.
    public let name: String
    /// Whether what is read from it is gone: a pipe, a terminal.
    let isStream: Bool

    /// Links that are followed before a path is taken as it stands.
    private static let mostLinks = 40

    /// `nil` for `/dev/null`, which may be used for everything at once.
    public init?(path: String) {
        var information = stat()
        if unsafe stat(path, &information) == 0 {
            let kind = information.st_mode & S_IFMT
            let isDevice = kind == S_IFCHR
            if isDevice, Self.resolved(path) == "/dev/null" { return nil }
            name = "file \(information.st_dev):\(information.st_ino)"
            isStream = isDevice || kind == S_IFIFO || kind == S_IFSOCK
            return
        }
        name = "path \(Self.place(of: path))"
        isStream = false
    }

    /// Where a file would be made: its folder's own path, and its name in it.
    private static func place(of path: String) -> String {
        var path = path
        for _ in 0..<mostLinks {
            // A link that leads nowhere yet: the file is made where it points to.
            guard let target = target(ofLink: path) else { break }
            path = target.hasPrefix("/") ? target : "\(split(path).folder)/\(target)"
        }
        let (folder, name) = split(path)
        if let folder = resolved(folder) { return folder == "/" ? "/\(name)" : "\(folder)/\(name)" }
        // A folder that is not there is no link either.
        let parent = folder == path ? path : place(of: folder)
        switch name {
        case ".": return parent
        case "..": return split(parent).folder
        default: return "\(parent)/\(name)"
        }
    }

    private static func split(_ path: String) -> (folder: String, name: String) {
        let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let folder = slash == path.startIndex ? "/" : String(path[..<slash])
        return (folder, String(path[path.index(after: slash)...]))
    }

    private static func resolved(_ path: String) -> String? {
        guard let real = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    private static func target(ofLink path: String) -> String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink(path, &bytes, bytes.count)
        guard count > 0 else { return nil }
        return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension LineFile {
    /// The files that an address of lines leads to.
    public static func place(of path: String) -> ResourcePlace? {
        // Other names of a stream of this process.
        if ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].contains(path) {
            return ResourcePlace(reads: StandardStream.place.reads, isStream: true)
        }
        guard let file = FileIdentity(path: path) else { return nil }
        return ResourcePlace(
            reads: file.name, writes: file.name,
            rejects: FileIdentity(path: "\(path).dead-letters")?.name, isStream: file.isStream)
    }
}

extension StandardStream {
    /// Standard input is one for all who read it; what is written to standard output may be mixed.
    public static let place = ResourcePlace(reads: "standard input", isStream: true)
}
