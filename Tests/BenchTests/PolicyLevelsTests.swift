import Bench
import Testing

@Suite struct PolicyLevelsTests {
    @Test(
        "every worker has as many slots, an eighth more in all than experts or the next number that allows it",
        arguments: [(256, [288, 288, 288, 288]), (60, [68, 72, 72, 80])])
    func slots(_ experts: Int, _ slots: [Int]) throws {
        let trace = RoutingTrace(
            experts: experts, expertsPerToken: 4, layers: 2, tokens: 2048, exponent: 1, seed: 5)
        let levels = try PolicyLevels(trace, batch: 32).levels
        #expect(levels.map(\.workers) == [4, 8, 12, 16])
        #expect(levels.map(\.slots) == slots)
        for level in levels {
            #expect(1...1.1 ~= level.cohort && 1...1.5 ~= level.deepseek, "\(level)")
        }
    }

    @Test("where all tokens want the same experts, their copies share them out")
    func skew() throws {
        let trace = RoutingTrace(
            experts: 16, expertsPerToken: 2, layers: [(0..<512).map { Int32($0 % 2) }])
        for level in try PolicyLevels(trace, batch: 16).levels.prefix(1) {
            #expect(level.slots == 20)
            #expect(1...1.01 ~= level.cohort, "\(level)")
        }
    }
}
