/// Decides which lines of a log go out when, so that whatever goes wrong writes no more than two a
/// second: a pure state machine.
///
/// A process may say more as it starts. After that lines wait for their turn, those that tell of
/// more than normal operation first; of too many, the oldest and least important are left out, and
/// counted.
struct LogPace: Sendable {
    /// Lines in any second.
    static let mostInSecond = 2
    /// Lines that go out at once besides, as a process starts.
    static let spareAtStart = 10
    /// How long it starts.
    private static let start = 5 * second
    /// Lines that wait.
    static let mostWaiting = 200
    private static let second: Int64 = 1_000_000_000

    private var spare = Self.spareAtStart
    private var startedAt: Int64?
    /// When the latest went out, at most as many as a second may have; nanoseconds of any clock
    /// that only goes forward.
    private var sent: [Int64] = []
    private var important: [[UInt8]] = []
    private var ordinary: [[UInt8]] = []
    private(set) var leftOut = 0

    var isEmpty: Bool { important.isEmpty && ordinary.isEmpty && leftOut == 0 }

    mutating func add(_ line: [UInt8], isImportant: Bool) {
        if isImportant { important.append(line) } else { ordinary.append(line) }
        guard important.count + ordinary.count > Self.mostWaiting else { return }
        leftOut += 1
        if ordinary.isEmpty { important.removeFirst() } else { ordinary.removeFirst() }
    }

    /// What goes out now, or when to ask again; `nil` where nothing waits.
    enum Step: Equatable {
        case write([UInt8])
        /// To say that so many lines were left out.
        case tell(leftOut: Int)
        case wait(nanoseconds: Int64)
    }

    mutating func next(now: Int64) -> Step? {
        if isEmpty { return nil }
        startedAt = startedAt ?? now
        if spare > 0, now - startedAt! < Self.start {
            spare -= 1
        } else {
            if sent.count == Self.mostInSecond, now - sent[0] < Self.second {
                return .wait(nanoseconds: Self.second - (now - sent[0]))
            }
            if sent.count == Self.mostInSecond { sent.removeFirst() }
            sent.append(now)
        }
        if !important.isEmpty { return .write(important.removeFirst()) }
        if !ordinary.isEmpty { return .write(ordinary.removeFirst()) }
        defer { leftOut = 0 }
        return .tell(leftOut: leftOut)
    }

    /// Everything that waits, for whoever can't wait.
    mutating func takeAll() -> (lines: [[UInt8]], leftOut: Int) {
        defer { (important, ordinary, leftOut) = ([], [], 0) }
        return (important + ordinary, leftOut)
    }
}
