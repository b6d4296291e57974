import Bench
import Testing

@Suite struct SamplesTests {
    @Test("the quantiles of known samples, whatever their order")
    func quantiles() {
        let samples = Samples([5, 1, 4, 2, 3])
        #expect(samples.median == 3)
        #expect(samples.quantile(0) == 1)
        #expect(samples.quantile(1) == 5)
        #expect(abs(samples.quantile(0.1) - 1.4) < 1e-12)
        #expect(abs(samples.quantile(0.9) - 4.6) < 1e-12)
        #expect(samples.total == 15)
        #expect(samples.count == 5)
    }

    @Test("an even number of samples has its median between the middle two")
    func evenMedian() {
        #expect(Samples([4, 1, 3, 2]).median == 2.5)
    }

    @Test("one sample is all its quantiles")
    func single() {
        let summary = Samples([7]).summary
        #expect(summary.median == 7 && summary.p10 == 7 && summary.p90 == 7 && summary.count == 1)
    }

    @Test("a rate's samples keep their order statistics when the transform turns them around")
    func mapped() {
        #expect(Samples([1, 2, 4]).mapped { 8 / $0 }.quantile(1) == 8)
        #expect((Samples([1, 2]) + Samples([6])).median == 2)
    }

    @Test("a stopwatch repeats within its bounds and does not count the first run")
    func stopwatch() {
        var numbers: [Int] = []
        let samples = Stopwatch(seconds: 0, leastRepetitions: 4).measure { numbers.append($0) }
        #expect(samples.count == 4)
        #expect(numbers == [0, 1, 2, 3, 4])
        #expect(Stopwatch(seconds: 60, mostRepetitions: 5).measure { _ in }.count == 5)
    }
}
