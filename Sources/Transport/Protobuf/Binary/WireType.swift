/// How a field's value is laid out, told by the low three bits of its tag.
/// [Encoding](https://protobuf.dev/programming-guides/encoding/#structure)
public enum WireType: UInt8, Sendable {
    case varint = 0
    case fixed64
    case lengthDelimited
    case startGroup
    case endGroup
    case fixed32
}
