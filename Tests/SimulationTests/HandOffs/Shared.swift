import Synchronization

/// A value that tasks of a scenario share.
final class Shared<Value: Sendable>: Sendable {
    private let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }

    var current: Value { value.withLock { $0 } }

    func withLock<T: Sendable>(_ body: (inout Value) throws -> T) rethrows -> T {
        try value.withLock { value in
            var copy = value
            defer { value = copy }
            return try body(&copy)
        }
    }
}

extension Shared where Value == [Int] {
    func append(_ element: Int) { withLock { $0.append(element) } }
}

extension Shared where Value == Int {
    func take() -> Int {
        withLock { value in
            defer { value = 0 }
            return value
        }
    }
}

/// What a scenario found out to be wrong.
struct Broken: Error, CustomStringConvertible {
    let description: String
}

func expect(_ holds: Bool, _ otherwise: @autoclosure () -> String) throws {
    if !holds { throw Broken(description: otherwise()) }
}
