/// A queue over a circular array whose size is a power of two.
struct Ring<Element: Sendable>: Sendable {
    private var slots: [Element?] = Array(repeating: nil, count: 8)
    private var head = 0
    private(set) var count = 0

    mutating func append(_ element: Element) {
        if count == slots.count {
            slots =
                (0..<count).map { slots[(head + $0) & (slots.count - 1)] }
                + Array(repeating: nil, count: count)
            head = 0
        }
        slots[(head + count) & (slots.count - 1)] = element
        count += 1
    }

    mutating func popFirst() -> Element? {
        if count == 0 { return nil }
        defer {
            slots[head] = nil
            head = (head + 1) & (slots.count - 1)
            count -= 1
        }
        return slots[head]
    }
}
