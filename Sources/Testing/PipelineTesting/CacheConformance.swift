public import PipelineCore

/// What every ``PipelineCore/Cache`` promises.
public enum CacheConformance {
    /// A cache under test.
    public struct Subject: Sendable {
        public var cache: any Cache
        /// Starts every key, so that checks can share a server.
        public var keyPrefix: String
        /// Returns once an entry of that key, stored just now to live so long, has expired.
        public var expiry: @Sendable (_ key: String, _ timeToLive: Duration) async throws -> Void
        /// The most bytes that a value may have; a longer one is refused.
        public var maxValueBytes: Int

        public init(
            cache: any Cache, keyPrefix: String, maxValueBytes: Int,
            expiry: @escaping @Sendable (_ key: String, _ timeToLive: Duration) async throws -> Void
        ) {
            self.cache = cache
            self.keyPrefix = keyPrefix
            self.maxValueBytes = maxValueBytes
            self.expiry = expiry
        }
    }

    public typealias Check = ConformanceCheck<Subject>

    /// All of them; each leaves other keys than its own alone.
    public static let checks: [Check] = reading + writing + bounds

    private static let reading: [Check] = [
        Check("answers nil for what it does not have") { subject in
            try await subject.expect([nil, nil], at: ["absent/1", "absent/2"])
        },
        Check("answers in the order of the keys, repeats included") { subject in
            try await subject.store([("order/a", "A"), ("order/b", "B")])
            try await subject.expect(
                ["B", nil, "A", "B"], at: ["order/b", "order/absent", "order/a", "order/b"])
        },
        Check("answers no keys with no values") { subject in
            try requireEqual(try await subject.cache.get([]).count, 0, "no keys, no values")
            try await subject.cache.set([])
        },
        Check("keeps keys and values of any bytes") { subject in
            let key = "bytes/\0 \r\n*3\u{1F980}\"'"
            let value = Bytes((0...255).map(UInt8.init) + Array("\r\n$-1\r\n".utf8))
            try await subject.cache.set([subject.entry(key, value)])
            let found = try await subject.cache.get([subject.key(key)])
            try require(found == [value], "a value comes back as it was")
            try await subject.expect([nil], at: ["bytes/"])
        },
        Check("tells an empty value from none") { subject in
            try await subject.store([("empty", "")])
            try await subject.expect(["", nil], at: ["empty", "empty/absent"])
        },
        Check("answers many callers at once, each with its own") { subject in
            let keys = (0..<200).map { "crowd/\($0)" }
            try await subject.store(keys.map { ($0, "value of \($0)") })
            try await withThrowingTaskGroup(of: Void.self) { group in
                for key in keys {
                    group.addTask { try await subject.expect(["value of \(key)"], at: [key]) }
                }
                try await group.waitForAll()
            }
        },
    ]

    private static let writing: [Check] = [
        Check("replaces what is there") { subject in
            try await subject.store([("replaced", "old")])
            try await subject.store([("replaced", "new")])
            try await subject.expect(["new"], at: ["replaced"])
        },
        Check("keeps the last of two entries with one key") { subject in
            try await subject.store([("twice", "first"), ("twice", "last")])
            try await subject.expect(["last"], at: ["twice"])
        },
        Check("keeps a value when the bytes it was sliced from change") { subject in
            var fetched = Array("-payload-".utf8)
            try await subject.cache.set([subject.entry("sliced", fetched[1..<8])])
            fetched[1] = 0
            try await subject.expect(["payload"], at: ["sliced"])
        },
        Check("forgets an entry when its time is over, and no other") { subject in
            let short = Duration.milliseconds(20)
            try await subject.store([("expiring/long", "stays")])
            try await subject.cache.set([
                subject.entry("expiring/short", "goes", timeToLive: short)
            ])
            try await subject.expiry(subject.key("expiring/short"), short)
            try await subject.expect([nil, "stays"], at: ["expiring/short", "expiring/long"])
        },
        Check("takes a time to live below a millisecond for a millisecond") { subject in
            let tiny = Duration.nanoseconds(1)
            try await subject.cache.set([subject.entry("tiny", "goes", timeToLive: tiny)])
            try await subject.expiry(subject.key("tiny"), .milliseconds(1))
            try await subject.expect([nil], at: ["tiny"])
        },
        Check("keeps an entry for as long as a Duration can say") { subject in
            let ages = Duration.seconds(Int64.max)
            try await subject.cache.set([subject.entry("ages", "stays", timeToLive: ages)])
            try await subject.expect(["stays"], at: ["ages"])
        },
    ]

    private static let bounds: [Check] = [
        Check("keeps a value of the most bytes allowed") { subject in
            let value = Bytes(repeating: 7, count: subject.maxValueBytes)
            try await subject.cache.set([subject.entry("largest", value)])
            try require(
                try await subject.cache.get([subject.key("largest")]) == [value],
                "the largest value comes back as it was")
        },
        Check("refuses a value that is too large, and stores nothing of that call") { subject in
            let value = Bytes(repeating: 7, count: subject.maxValueBytes + 1)
            let entries = [subject.entry("beside", "B"), subject.entry("too-large", value)]
            try await subject.refuses { try await subject.cache.set(entries) }
            try await subject.expect([nil, nil], at: ["beside", "too-large"])
        },
        Check("answers a probe and changes nothing by it") { subject in
            try await subject.store([("probed", "P")])
            try await subject.cache.probe()
            try await subject.expect(["P"], at: ["probed"])
        },
    ]
}

extension CacheConformance.Subject {
    fileprivate func key(_ key: String) -> String { keyPrefix + key }

    fileprivate func entry(_ key: String, _ value: String, timeToLive: Duration = .minutes(10))
        -> CacheEntry
    {
        entry(key, Bytes(Array(value.utf8)), timeToLive: timeToLive)
    }

    fileprivate func entry(_ key: String, _ value: Bytes, timeToLive: Duration = .minutes(10))
        -> CacheEntry
    {
        CacheEntry(key: self.key(key), value: value, timeToLive: timeToLive)
    }

    fileprivate func store(_ entries: [(String, String)]) async throws {
        try await cache.set(entries.map { entry($0, $1) })
    }

    fileprivate func expect(_ values: [String?], at keys: [String]) async throws {
        let found = try await cache.get(keys.map(key)).map { value in
            value.map { String(decoding: $0, as: UTF8.self) }
        }
        try requireEqual(found, values, "the values at \(keys)")
    }

    fileprivate func refuses(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as PipelineError where error.code == "cache-entry-too-large" {
            try requireEqual(error.disposition, .permanent, "the disposition of \(error)")
            return
        }
        throw ConformanceFailure("an entry that is too large was not refused")
    }
}
