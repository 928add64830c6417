/// What an event counts towards. The raw value is how stores keep it.
public enum EventKind: UInt8, Sendable, CaseIterable {
    case view = 0x56  // V
    case payment = 0x50  // P

    /// The raw value as text.
    var name: String {
        switch self {
        case .view: "V"
        case .payment: "P"
        }
    }
}
