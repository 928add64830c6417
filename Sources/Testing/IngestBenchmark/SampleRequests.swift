internal import PipelineCore

/// Report requests as users send them: a random case each, many products, a deadline for one in four.
enum SampleRequests {
    static func json(_ index: Int) -> Bytes {
        var random = SplitMix(state: UInt64(index) &* 0x2545_F491_4F6C_DD1D)
        let id = UUID(using: &random)
        let product = random.next() % 50_000
        let day = random.next() % 19 + 10
        let deadline = index % 4 == 0 ? #","deadline":"2099-05-\#(day)T12:00:00Z""# : ""
        return Array(
            """
            {"case_id":"\(id)","product_id":"product-\(product)",\
            "period":{"start_time":"2026-04-\(day)T00:00:00Z","end_time":"2026-06-\(day)T00:00:00Z"},\
            "requester":"user-\(product % 1000)@example.com"\(deadline)}
            """.utf8)[...]
    }
}

/// [SplitMix64](https://prng.di.unimi.it/splitmix64.c): good enough, and any index can start one.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var x = state
        x = (x ^ (x >> 30)) &* 0xBF58_476D_1CE4_E5B9
        x = (x ^ (x >> 27)) &* 0x94D0_49BB_1331_11EB
        return x ^ (x >> 31)
    }
}
