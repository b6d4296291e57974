import Cluster
import Testing

@Suite struct RateFitTests {
    @Test("two loads made of two rates give the rates back")
    func exact() {
        let fit = RateFit(
            .init(first: 100, second: 10, seconds: 100 * 0.5 + 10 * 0.25),
            .init(first: 200, second: 160, seconds: 200 * 0.5 + 160 * 0.25))
        #expect(abs(fit.firstSeconds - 0.5) < 1e-12 && abs(fit.secondSeconds - 0.25) < 1e-12)
    }

    @Test("a rate that would be negative is left out, and the other lies between both measurements")
    func negative() {
        // The larger load takes less than its first part would.
        let first = RateFit(.init(first: 100, second: 1, seconds: 100), .init(first: 400, second: 16, seconds: 100))
        #expect(first.secondSeconds == 0 && first.firstSeconds == 0.5)
        // Grows faster than its second part.
        let second = RateFit(.init(first: 100, second: 1, seconds: 1), .init(first: 101, second: 4, seconds: 16))
        #expect(second.firstSeconds == 0 && second.secondSeconds == 2)
    }

    @Test("loads in proportion leave nothing to tell them apart by")
    func proportional() {
        let fit = RateFit(.init(first: 1, second: 2, seconds: 3), .init(first: 2, second: 4, seconds: 6))
        #expect(fit.firstSeconds == 3 && fit.secondSeconds == 0)
    }

    @Test("a first rate that nothing reaches is the bound, and the second is made of the rest")
    func bounded() {
        let (small, large) = (
            RateFit.Point(first: 100, second: 1, seconds: 1), RateFit.Point(first: 101, second: 4, seconds: 16)
        )
        let fit = RateFit(small, large, leastFirst: 0.005)
        #expect(fit.firstSeconds == 0.005)
        #expect(abs(fit.secondSeconds - (0.5 * (16 - 0.505) / 4).squareRoot()) < 1e-12)
        // A rate within the bound stays.
        let exact = RateFit(
            .init(first: 100, second: 10, seconds: 52.5), .init(first: 200, second: 160, seconds: 140),
            leastFirst: 0.4)
        #expect(abs(exact.firstSeconds - 0.5) < 1e-12 && abs(exact.secondSeconds - 0.25) < 1e-12)
    }

    @Test("measurements that were faster than the bound are believed")
    func unbounded() {
        let fit = RateFit(
            .init(first: 100, second: 10, seconds: 52.5), .init(first: 200, second: 160, seconds: 140), leastFirst: 0.6)
        #expect(abs(fit.firstSeconds - 0.5) < 1e-12 && abs(fit.secondSeconds - 0.25) < 1e-12)
    }
}
