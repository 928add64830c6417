/// A field's two spellings.
public struct FieldName: Sendable, ExpressibleByStringLiteral {
    /// As in the proto file: `case_id`.
    public let proto: String
    /// As in JSON: `caseId`.
    public let json: String

    @inlinable
    public init(_ proto: String, json: String) {
        self.proto = proto
        self.json = json
    }

    /// A name that is spelt the same in both.
    @inlinable
    public init(stringLiteral name: String) {
        proto = name
        json = name
    }
}

/// The names of a message's fields. Built once a message type, on first use.
public struct FieldTable: Sendable {
    /// Numbers by either spelling.
    private let numbers: [String: Int]
    private let names: [(number: Int, name: FieldName)]

    /// - Parameter names: Every field, in the order of the numbers.
    public init(_ names: KeyValuePairs<Int, FieldName>) {
        var numbers: [String: Int] = [:]
        for (number, name) in names {
            numbers[name.proto] = number
            numbers[name.json] = number
        }
        self.numbers = numbers
        self.names = names.map { (number: $0.key, name: $0.value) }
    }

    /// The field's number, by either spelling.
    public func number(of name: String) -> Int? { numbers[name] }

    /// The field's name in the proto file; a number without a name is returned as text.
    public func name(of number: Int) -> String {
        names.first { $0.number == number }?.name.proto ?? String(number)
    }

    /// All names as in the proto file, in the order of the numbers.
    public var protoNames: [String] { names.map(\.name.proto) }
}

/// The fields met so far in a JSON object. Numbers below 64 need no allocation.
@usableFromInline
struct FieldNumbers {
    private var low: UInt64 = 0
    private var others: Set<Int> = []

    @usableFromInline
    init() {}

    /// - Returns: false when the number was in already.
    @usableFromInline
    mutating func insert(_ number: Int) -> Bool {
        guard number < 64 else { return others.insert(number).inserted }
        let bit = UInt64(1) << UInt64(number)
        defer { low |= bit }
        return low & bit == 0
    }
}

/// Where a message writes its fields: the binary format uses the number, JSON the name.
public protocol FieldSink: ~Copyable {
    /// A field without presence: left out when it has its default value.
    mutating func singular<Codec: FieldCodec>(
        _ number: Int, _ name: FieldName, _: Codec.Type, _ value: Codec.Value
    ) throws(ProtobufError)
    /// A field with presence: left out when it is nil.
    mutating func optional<Codec: FieldCodec>(
        _ number: Int, _ name: FieldName, _: Codec.Type, _ value: Codec.Value?
    ) throws(ProtobufError)
    /// A repeated field whose values share one length on the wire.
    mutating func packed<Codec: FieldCodec>(
        _ number: Int, _ name: FieldName, _: Codec.Type, _ values: [Codec.Value]
    ) throws(ProtobufError)
    /// A repeated field whose values have a tag each.
    mutating func repeated<Codec: FieldCodec>(
        _ number: Int, _ name: FieldName, _: Codec.Type, _ values: [Codec.Value]
    ) throws(ProtobufError)
    /// A map, written in the order of its keys.
    mutating func map<Key: MapKeyCodec, Value: FieldCodec>(
        _ number: Int, _ name: FieldName, _: Key.Type, _: Value.Type,
        _ values: [Key.Value: Value.Value]
    ) throws(ProtobufError)
}

/// Where a message reads the value of one field from; which field it is has been read already.
public protocol FieldSource: ~Copyable, ~Escapable {
    /// A field without presence.
    mutating func singular<Codec: FieldCodec>(
        _: Codec.Type, _ value: inout Codec.Value
    ) throws(ProtobufError)
    /// A field with presence. Messages are merged into the one that is there.
    mutating func optional<Codec: FieldCodec>(
        _: Codec.Type, _ value: inout Codec.Value?
    ) throws(ProtobufError)
    /// One or several values of a repeated field, packed or not.
    mutating func repeated<Codec: FieldCodec>(
        _: Codec.Type, _ values: inout [Codec.Value]
    ) throws(ProtobufError)
    /// One or several entries of a map.
    mutating func map<Key: MapKeyCodec, Value: FieldCodec>(
        _: Key.Type, _: Value.Type, _ values: inout [Key.Value: Value.Value]
    ) throws(ProtobufError)
    /// A member of a oneof; `occupied` says that the oneof has a value, which is an error in JSON
    /// and overruled in the binary format.
    mutating func member<Codec: FieldCodec>(
        _: Codec.Type, _ value: inout Codec.Value?, occupied: Bool
    ) throws(ProtobufError)
}
