/// A protobuf enum. It is open, as proto3 demands: numbers without a case are kept.
public protocol ProtobufEnum: Hashable, Sendable {
    /// Every number has a value; unknown ones give `unrecognized`.
    init(rawValue: Int32)
    /// The number on the wire.
    var rawValue: Int32 { get }
    /// Numbers by name, aliases included.
    static var numbers: [String: Int32] { get }
    /// The name in the proto file and in JSON. Nil for unrecognized numbers.
    var protoName: String? { get }
    /// Whether the enum's JSON form is `null`: true for `google.protobuf.NullValue` only.
    static var isJSONNull: Bool { get }
}

extension ProtobufEnum {
    public static var isJSONNull: Bool { false }
}
