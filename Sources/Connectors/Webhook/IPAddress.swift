internal import Glibc

/// An address of IPv4 or IPv6, and whether it is one that anybody on the internet may have.
///
/// By the registries of special-purpose addresses of
/// [IPv4](https://www.iana.org/assignments/iana-ipv4-special-registry) and
/// [IPv6](https://www.iana.org/assignments/iana-ipv6-special-registry).
struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    /// Four or sixteen, in network order.
    private let bytes: [UInt8]

    /// `nil` for another number of bytes.
    init?(bytes: [UInt8]) {
        guard [4, 16].contains(bytes.count) else { return nil }
        self.bytes = bytes
    }

    /// Reads the usual forms, `192.0.2.1` and `2001:db8::1`, without brackets.
    init?(_ text: String) {
        var bytes = [UInt8](repeating: 0, count: 16)
        if unsafe inet_pton(AF_INET, text, &bytes) == 1 {
            self.bytes = Array(bytes[..<4])
        } else if unsafe inet_pton(AF_INET6, text, &bytes) == 1 {
            self.bytes = bytes
        } else {
            return nil
        }
    }

    var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        unsafe inet_ntop(family, bytes, &text, socklen_t(text.count))
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Whether it leads to somebody on the internet, and not to this machine, its network, or
    /// nobody.
    var isPublic: Bool {
        if bytes.count == 4 { return !Self.closedBlocks.contains { $0.contains(self) } }
        // What a gateway makes of an address of IPv4, whose own it is then.
        if Self.translated.contains(self) {
            return IPAddress(bytes: Array(bytes[12...]))?.isPublic ?? false
        }
        return Self.global.contains(self) && !Self.closedBlocks.contains { $0.contains(self) }
    }

    /// `10.0.0.0/8`: the addresses that begin as that one does.
    private struct Block: Sendable {
        let start: IPAddress
        let bits: Int

        init(_ text: String) {
            let parts = text.split(separator: "/")
            guard let start = IPAddress(String(parts[0])), let bits = Int(parts[1]) else {
                preconditionFailure("\(text) is no block of addresses")
            }
            self.start = start
            self.bits = bits
        }

        func contains(_ address: IPAddress) -> Bool {
            guard address.bytes.count == start.bytes.count else { return false }
            let whole = bits / 8
            guard address.bytes[..<whole] == start.bytes[..<whole] else { return false }
            let rest = bits % 8
            return rest == 0
                || address.bytes[whole] >> (8 - rest) == start.bytes[whole] >> (8 - rest)
        }
    }

    /// All of IPv6 that has been given out; mapped, private, link-local and multicast addresses lie
    /// outside of it.
    private static let global = Block("2000::/3")
    private static let translated = Block("64:ff9b::/96")
    private static let closedBlocks = [
        // This host and its networks, private ones, and those that providers share among customers.
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.168.0.0/16",
        // Protocols, relays, benchmarks, documentation.
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24",
        // Multicast, and what is reserved, broadcast among it.
        "224.0.0.0/4", "240.0.0.0/4",
        // Teredo and other protocols, documentation, 6to4: some carry an address of IPv4.
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    ].map(Block.init)
}
