import PipelineCore
import Testing

@Suite("A source of randomness")
struct RandomSourceTests {
    @Test("repeats itself for a seed")
    func seeds() {
        let (a, b, c) = (RandomSource(seed: 7), RandomSource(seed: 7), RandomSource(seed: 8))
        let numbers = (0..<10).map { _ in a.next() }
        #expect(numbers == (0..<10).map { _ in b.next() })
        #expect(numbers != (0..<10).map { _ in c.next() })
    }

    @Test("is SplitMix64 as its reference has it")
    func reference() {
        var generator = SplitMix64(seed: 1_234_567)
        let numbers = (0..<5).map { _ in generator.next() }
        #expect(
            numbers == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
                4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
            ])
    }

    @Test("stays within bounds and fills them")
    func bounds() {
        let random = RandomSource(seed: 3)
        let numbers = (0..<1000).map { _ in random.below(10) }
        #expect(Set(numbers) == Set(0..<10))
        let units = (0..<1000).map { _ in random.unit() }
        #expect(units.allSatisfy { (0..<1).contains($0) })
        #expect(units.min()! < 0.01 && units.max()! > 0.99)
    }
}
