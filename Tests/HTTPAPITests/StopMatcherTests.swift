import HTTPAPI
import Testing

@Suite("A stop matcher") struct StopMatcherTests {
    /// What comes out piece by piece.
    private func run(_ pieces: [String], _ stops: [String]) -> (pieces: [String], isStopped: Bool) {
        var matcher = StopMatcher(stops)
        let out = pieces.map { matcher.append($0) }
        return (out + [matcher.finish()], matcher.isStopped)
    }

    @Test(
        "holds back what may become a stop string, and no more",
        arguments: [
            (["ab", "c"], ["xy"], ["ab", "c", ""], false),
            (["ax", "yb"], ["xy"], ["a", "", ""], true),
            (["ax", "zb"], ["xy"], ["a", "xzb", ""], false),
            (["ax"], ["xy"], ["a", "x"], false),
            (["a\n", "\nb"], ["\n\n"], ["a", "", ""], true),
            (["aab", "aac"], ["aabaac"], ["", "", ""], true),
            (["aaab", "c"], ["aabc"], ["a", "", ""], true),
            (["one two"], ["two", "ne"], ["o", ""], true),
            (["a世", "界b"], ["世界"], ["a", "", ""], true),
            (["e", "\u{301}x"], ["e"], ["", "", ""], true),
            (["abc"], [], ["abc", ""], false),
        ] as [([String], [String], [String], Bool)])
    func examples(pieces: [String], stops: [String], expected: [String], isStopped: Bool) {
        let result = run(pieces, stops)
        #expect(result.pieces == expected)
        #expect(result.isStopped == isStopped)
    }

    @Test("shows just what stands before the first stop string, however the text is cut", arguments: 0..<300)
    func cuts(seed: Int) {
        var numbers = Numbers(state: UInt64(seed))
        let text = String((0..<numbers.next(40)).map { _ in ["a", "b", "c"][numbers.next(3)] as Character })
        let stops = (0..<numbers.next(3)).map { _ in
            String((0...numbers.next(4)).map { _ in ["a", "b"][numbers.next(2)] as Character })
        }
        var pieces: [String] = []
        var rest = text[...]
        while !rest.isEmpty {
            let count = 1 + numbers.next(4)
            pieces.append(String(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        let end = stops.compactMap { text.firstRange(of: $0)?.lowerBound }.min()
        let result = run(pieces, stops)
        #expect(result.pieces.joined() == String(text[..<(end ?? text.endIndex)]))
        #expect(result.isStopped == (end != nil))
    }

    /// A small generator of numbers.
    private struct Numbers {
        var state: UInt64

        mutating func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
    }
}
