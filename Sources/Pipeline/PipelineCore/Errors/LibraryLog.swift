public import Logging
internal import Synchronization

/// What a library logs by itself, in our form and bounded: of each kind one line a minute, and with
/// the next how many were left out.
public final class LibraryLog: Sendable {
    public static let interval: Duration = .minutes(1)
    /// What may be the beginning of an outage is told of if it comes again after so long: the
    /// outage is told of by itself.
    public static let patience: Duration = .seconds(5)
    /// Beyond that, kinds are not told apart.
    private static let mostKinds = 256

    private struct Kind {
        /// When it came first, of those that did not stop since.
        var begin: Instant
        var last: Instant
        var lastTold: Instant?
        var suppressed = 0
    }
    private let library: String
    private let logger: Logger
    private let clock: PipelineClock
    private let kinds = Mutex<[String: Kind]>([:])

    /// - Parameter library: its name, with which each line begins.
    public init(_ library: String, clock: PipelineClock, logger: Logger) {
        self.library = library
        self.clock = clock
        self.logger = logger
    }

    /// - Parameters:
    ///   - kind: the part of the library that speaks, or what else tells kinds of lines apart.
    ///   - mayBeOutage: whether the library tells so of a server that is away.
    ///   - isKnown: whether such an outage has been told of: then there is nothing to say.
    public func log(
        _ level: Logger.Level, _ kind: String, _ message: String, mayBeOutage: Bool = false,
        isKnown: @autoclosure () -> Bool = false
    ) {
        guard level >= logger.logLevel else { return }
        let now = clock.now
        let isKnown = isKnown()
        let suppressed: Int? = kinds.withLock { kinds in
            let name = kinds[kind] != nil || kinds.count < Self.mostKinds ? kind : ""
            var known = kinds[name] ?? Kind(begin: now, last: now)
            defer { kinds[name] = known }
            if known.last.duration(to: now) > Self.interval * 2 { known.begin = now }
            known.last = now
            let isEarly = mayBeOutage && known.begin.duration(to: now) < Self.patience
            if let last = known.lastTold, last.duration(to: now) < Self.interval {
                known.suppressed += 1
                return nil
            }
            if isEarly || isKnown {
                known.suppressed += 1
                return nil
            }
            defer { known.suppressed = 0 }
            known.lastTold = now
            return known.suppressed
        }
        guard let suppressed else { return }
        var metadata: Logger.Metadata = ["library": "\(library)", "facility": "\(kind)"]
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        logger.log(level: level, "\(library): \(message)", metadata: metadata)
    }
}
