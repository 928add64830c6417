import Testing

@testable import Webhook

@Suite("An address")
struct IPAddressTests {
    @Test(
        "is not called when it is this machine's, a private network's, or nobody's",
        arguments: [
            "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255",
            "127.0.0.1", "127.255.0.1", "169.254.0.1", "169.254.169.254", "172.16.0.1",
            "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1",
            "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.9", "224.0.0.1",
            "239.255.255.250", "240.0.0.1", "255.255.255.255",
            "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::1", "100::1",
            "2001::1", "2001:1ff::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1",
            "fc00::1", "fd12:3456::1", "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1",
            "ff02::1",
        ])
    func isClosed(text: String) throws {
        let address = try #require(IPAddress(text))
        #expect(!address.isPublic)
        #expect(IPAddress(address.description) == address)
    }

    @Test(
        "is called where it is somebody's on the internet, up to the edges of what is closed",
        arguments: [
            "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
            "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.0", "172.15.255.255",
            "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
            "223.255.255.255", "2001:200::1", "2001:4860:4860::8888", "2606:4700:4700::1111",
            "2003::1", "3ffe::1", "64:ff9b::8.8.8.8",
        ])
    func isOpen(text: String) throws {
        #expect(try #require(IPAddress(text)).isPublic)
    }

    @Test("is of four or sixteen bytes")
    func form() {
        #expect(IPAddress(bytes: []) == nil)
        #expect(IPAddress(bytes: [127, 0, 0, 1]) == IPAddress("127.0.0.1"))
        for text in ["hook.example", "127.1", "[::1]", "fe80::1%eth0", ""] {
            #expect(IPAddress(text) == nil, "\(text)")
        }
    }
}
