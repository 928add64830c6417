import Glibc

/// A folder of a test's own, removed with everything in it when the value goes.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/penstock-sqlite-XXXXXX".utf8CString)
        path = unsafe template.withUnsafeMutableBufferPointer { buffer in
            unsafe String(cString: mkdtemp(buffer.baseAddress!))
        }
    }

    deinit { remove(folder: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }
}

func mode(of path: String) -> mode_t {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
}

func size(of path: String) -> Int {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? Int(status.st_size) : -1
}

private func remove(folder: String) {
    guard let stream = unsafe opendir(folder) else { return }
    while let entry = unsafe readdir(stream) {
        let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name == "." || name == ".." { continue }
        let path = "\(folder)/\(name)"
        if unsafe unlink(path) != 0 { remove(folder: path) }
    }
    unsafe closedir(stream)
    unsafe rmdir(folder)
}
