import Kernels
import Testing

@Suite struct LimitsTests {
    @Test("reading through memory gives the XOR of its words", arguments: [0, 1, 2, 7])
    func readGivesXOR(granules: Int) {
        var numbers = RandomNumbers(seed: granules)
        let words = (0..<granules * KernelSet.readGranule / 8).map { _ in numbers.next() }
        let expected = words.reduce(0, ^)
        words.withUnsafeBytes { bytes in
            for kernels in KernelSet.available() {
                #expect(kernels.readThrough(bytes) == expected, "\(kernels.name)")
            }
        }
    }

    @Test("multiplying ones makes as many multiply-adds as it says", arguments: [0, 1, 3, 1000])
    func countsItsWork(rounds: Int) {
        for kernels in KernelSet.available() {
            for arithmetic in KernelSet.Arithmetic.allCases {
                let (count, sum) = kernels.multiplyOnes(rounds: rounds, in: arithmetic)
                #expect(Float(count) == sum, "\(kernels.name) \(arithmetic)")
                #expect((count > 0) == (rounds > 0))
            }
        }
    }
}
