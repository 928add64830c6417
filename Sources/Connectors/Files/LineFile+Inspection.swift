internal import Glibc
public import PipelineCore

extension LineFile {
    /// Asks the system what it would permit (access(2)); opens and creates nothing.
    public func inspect(
        for needs: [ResourceNeed], timeout: Duration
    ) async throws -> [ResourceFinding] {
        needs.map { need in
            switch need {
            case .reading: readable()
            case .writing: writable(path, need.subject)
            case .topic, .ledger, .generation:
                ResourceFinding(need.subject, .wrong, "a file of lines is no place for it")
            }
        }
    }

    private func readable() -> ResourceFinding {
        let subject = ResourceNeed.reading.subject
        guard unsafe access(path, R_OK) == 0 else {
            return ResourceFinding(subject, .wrong, "\(path): \(Self.reason)")
        }
        let refused = writable("\(path).dead-letters", subject)
        return refused.verdict == .ok
            ? ResourceFinding(subject, .ok, "\(path) can be read") : refused
    }

    private func writable(_ path: String, _ subject: String) -> ResourceFinding {
        if unsafe access(path, W_OK) == 0 {
            return ResourceFinding(subject, .ok, "\(path) can be written to")
        }
        guard errno == ENOENT else {
            return ResourceFinding(subject, .wrong, "\(path): \(Self.reason)")
        }
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard unsafe access(folder, W_OK | X_OK) == 0 else {
            return ResourceFinding(
                subject, .wrong, "\(path) can't be created in \(folder): \(Self.reason)")
        }
        return ResourceFinding(subject, .ok, "\(path) will be created")
    }

    private static var reason: String { unsafe String(cString: strerror(errno)) }
}
