import Concurrency
import Glibc
import PipelineCore
import Synchronization

/// A receiver of a test's own, over HTTP on loopback: a thread for each connection.
final class ReceiverServer: Sendable {
    struct CannotListen: Error {}
    /// A call as it came.
    struct Received: Sendable {
        /// The lines of the head, without the first.
        var headers: [String]
        var body: [UInt8]
        func header(_ name: String) -> String? {
            headers.first { $0.lowercased().hasPrefix("\(name):") }.map {
                String($0.dropFirst(name.count + 1).drop { $0 == " " })
            }
        }
    }
    /// What it answers: a head's lines behind the version, and a body. Runs on the connection's
    /// thread, and may wait there.
    typealias Answer = @Sendable (Received) -> (head: String, body: String)

    let port: UInt16
    private let listener: Int32
    private let answer: Answer
    private struct State {
        var received: [Received] = []
        var connections = 0
        var open: Set<Int32> = []
        var inWork = 0
        var mostInWork = 0
        var wholeAnswers = 0
    }
    private let state = Mutex(State())

    init(_ answer: @escaping Answer) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe bind(descriptor, pointer, length) == 0
                    && getsockname(descriptor, pointer, &length) == 0
            }
        }
        guard isBound, listen(descriptor, 64) == 0 else { throw CannotListen() }
        listener = descriptor
        port = UInt16(bigEndian: address.sin_port)
        self.answer = answer
        _ = try NativeThread(name: "receiver") { [self] in accept() }
    }

    var received: [Received] { state.withLock { $0.received } }
    var connections: Int { state.withLock { $0.connections } }
    /// How many answers were taken by the system up to their ends.
    var wholeAnswers: Int { state.withLock { $0.wholeAnswers } }
    var mostInWork: Int { state.withLock { $0.mostInWork } }

    /// Ends, with its threads.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        // Under the lock: a descriptor that is closed may be another connection's by now.
        state.withLock { state in
            for connection in state.open { shutdown(connection, Int32(SHUT_RDWR)) }
        }
    }

    private func accept() {
        while true {
            let connection = Glibc.accept(listener, nil, nil)
            if connection < 0 { break }
            state.withLock { state in
                state.connections += 1
                state.open.insert(connection)
            }
            _ = try? NativeThread(name: "connection") { [self] in
                serve(connection)
                state.withLock { state in
                    state.open.remove(connection)
                    _ = close(connection)
                }
            }
        }
        close(listener)
    }

    private func serve(_ connection: Int32) {
        var bytes: [UInt8] = []
        while let call = Self.next(from: connection, &bytes) {
            state.withLock { state in
                state.received.append(call)
                state.inWork += 1
                state.mostInWork = max(state.mostInWork, state.inWork)
            }
            let (head, body) = answer(call)
            state.withLock { $0.inWork -= 1 }
            let text = Array(
                "HTTP/1.1 \(head)\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
            guard Self.send(text, to: connection) else { return }
            state.withLock { $0.wholeAnswers += 1 }
        }
    }

    private static func send(_ text: [UInt8], to connection: Int32) -> Bool {
        var rest = text[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            rest.removeFirst(count)
        }
        return true
    }

    private static func next(from connection: Int32, _ bytes: inout [UInt8]) -> Received? {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            if let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
                let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
                var call = Received(
                    headers: head.split(separator: "\r\n").dropFirst().map(String.init), body: [])
                let length = call.header("content-length").flatMap { Int($0) } ?? 0
                if bytes.count >= end.upperBound + length {
                    call.body = Array(bytes[end.upperBound..<(end.upperBound + length)])
                    bytes.removeFirst(end.upperBound + length)
                    return call
                }
            }
            let count = unsafe read(connection, &buffer, buffer.count)
            if count <= 0 { return nil }
            bytes += buffer[..<count]
        }
    }
}
