/// A number of bytes, written with its unit: `64MiB`.
public struct ByteCount: Sendable, Hashable, Comparable {
    /// How many bytes.
    public var bytes: Int

    /// So many bytes.
    public init(bytes: Int) { self.bytes = bytes }

    /// So many times 1,024 bytes.
    public static func kibibytes(_ count: Int) -> ByteCount { ByteCount(bytes: count << 10) }
    /// So many times 1,048,576 bytes.
    public static func mebibytes(_ count: Int) -> ByteCount { ByteCount(bytes: count << 20) }
    /// So many times 1,073,741,824 bytes.
    public static func gibibytes(_ count: Int) -> ByteCount { ByteCount(bytes: count << 30) }

    /// Orders by size.
    public static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }
}

extension ByteCount: TextValue {
    public static var kind: String { "byte size" }
    public static var schema: JSON {
        [
            "type": "string",
            "pattern": #"^ *[0-9]+(\.[0-9]{1,9})? *(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB) *$"#,
        ]
    }

    private static let bytesPerUnit: [(unit: String, bytes: Int64)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
        ("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000),
        ("B", 1),
    ]

    /// Reads `512B`, `64KiB`, `1.5MiB`, `2GB`.
    public init(parsing text: String) throws(Refusal) { self = try Self.parse(text, unit: nil) }

    public static func parse(_ text: String, unit: String?) throws(Refusal) -> ByteCount {
        guard let quantity = Quantity(text[...]), quantity.rest.isEmpty else {
            throw Refusal(
                .wrongType, "is not a byte size",
                hint: "write a number and its unit: 512B, 64KiB, 16MiB, 1GiB")
        }
        let written = quantity.unit.isEmpty ? unit : String(quantity.unit)
        guard let written else {
            throw Refusal(
                .wrongType, "has no unit", hint: "write \(text)B, \(text)KiB or \(text)MiB")
        }
        guard let factor = bytesPerUnit.first(where: { $0.unit == written })?.bytes else {
            throw Refusal(
                .wrongType, "has an unknown unit \(JSON.quoted(written))",
                hint: "units: B, KiB, MiB, GiB, TiB, kB, MB, GB, TB")
        }
        guard let bytes = quantity.scaled(by: factor) else {
            throw Refusal(.outOfRange, "is too large")
        }
        return ByteCount(bytes: Int(bytes))
    }

    /// The size in the largest binary unit that divides it.
    public var text: String {
        if bytes == 0 { return "0B" }
        for (unit, factor) in Self.bytesPerUnit.prefix(4) where bytes % Int(factor) == 0 {
            return "\(bytes / Int(factor))\(unit)"
        }
        return "\(bytes)B"
    }
}
