import Dispatch
import Glibc

/// A program of another language, run to its end.
///
/// Not Foundation's `Process`, which leaks: the leak checker runs over these tests.
enum ForeignProgram {
    struct Failure: Error {
        let call: String
        let number: Int32
    }

    /// Runs a program and collects all that it writes.
    static func run(_ arguments: String...) async throws -> (status: Int32, output: String) {
        var ends: (read: Int32, write: Int32) = (0, 0)
        try unsafe withUnsafeMutablePointer(to: &ends) { pair in
            try check(
                "pipe",
                unsafe pipe(UnsafeMutableRawPointer(pair).assumingMemoryBound(to: Int32.self)))
        }
        let reader = ends.read
        defer { close(reader) }
        let process = try start(arguments, output: ends.write)
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                let output = readAll(reader)
                var status: Int32 = 0
                _ = unsafe waitpid(process, &status, 0)
                let text = String(decoding: output, as: UTF8.self)
                continuation.resume(returning: (status, text))
            }
        }
    }

    /// Starts a program whose output goes to `output`, which is closed here.
    private static func start(_ arguments: [String], output: Int32) throws -> pid_t {
        defer { close(output) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 2)
        unsafe posix_spawn_file_actions_addclose(&actions, output)
        var words = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { for index in unsafe words.indices { unsafe free(words[index]) } }
        var process = pid_t()
        try check(
            "posix_spawn",
            unsafe posix_spawn(&process, arguments[0], &actions, nil, &words, environ))
        return process
    }

    private static func check(_ call: String, _ outcome: Int32) throws {
        if outcome != 0 { throw Failure(call: call, number: outcome) }
    }

    private static func readAll(_ descriptor: Int32) -> [UInt8] {
        var all: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe read(descriptor, &part, part.count)
            if count <= 0 { return all }
            all += part[..<count]
        }
    }
}
