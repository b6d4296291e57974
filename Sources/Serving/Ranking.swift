internal import Kernels

/// Puts tokens in the order of their logits: largest first, the lower id of equals. For any number of threads.
package final class Ranking: Sendable {
    /// A token and its logit as one number that grows as the logit falls, and then with the id.
    struct Token {
        fileprivate let bits: UInt64

        fileprivate init(id: Int, logit: Float) {
            // A zero has one sign here: they are equal.
            bits = UInt64(Self.flipped((logit + 0).bitPattern)) << 32 | UInt64(id)
        }

        var id: Int { Int(bits & 0xFFFF_FFFF) }

        var logit: Float { Float(bitPattern: Self.flipped(UInt32(bits >> 32))) }

        /// Floats' patterns grow with their magnitudes: those of positive numbers are turned around. Its own inverse.
        private static func flipped(_ pattern: UInt32) -> UInt32 {
            pattern >> 31 == 0 ? pattern ^ 0x7FFF_FFFF : pattern
        }
    }

    /// A pass of the sort distributes by so many bits.
    private static let digitBits = 8
    private static let digits = 1 << digitBits
    private static let keyBits = 32..<64
    /// Up to here a list into which tokens are inserted is faster than a sort of all.
    private static let longestList = 64

    private let vocabularySize: Int
    /// For each of the vocabulary two tokens, or one and a number.
    private let scratch: ScratchPool

    package init(vocabularySize: Int) {
        precondition(vocabularySize <= 1 << 32, "an id takes 32 bits")
        self.vocabularySize = vocabularySize
        scratch = ScratchPool(byteCount: 2 * vocabularySize * MemoryLayout<Token>.stride)
    }

    /// The ids of the `count` largest logits, in order.
    /// - Parameter logits: [vocabulary].
    package func largest(_ count: Int, of logits: UnsafeBufferPointer<Float>) -> [Int] {
        guard count > 0 else { return [] }
        return withTokens(of: logits, from: -.infinity, most: count) { tokens, _ in tokens.map(\.id) }
    }

    /// Calls `body` with the tokens whose logits are `least` or more, in order, and with room for a number for each.
    /// - Parameters:
    ///   - logits: [vocabulary]; none is NaN.
    ///   - most: no more than the first so many.
    func withTokens<Result>(
        of logits: UnsafeBufferPointer<Float>, from least: Float, most: Int,
        _ body: (UnsafeBufferPointer<Token>, UnsafeMutablePointer<Double>) -> Result
    ) -> Result {
        precondition(logits.count == vocabularySize, "a row of logits has one for each token")
        var result: Result?
        scratch.withScratch { memory in
            let tokens = memory.bindMemory(to: Token.self, capacity: vocabularySize)
            let rest = memory + vocabularySize * MemoryLayout<Token>.stride
            let count: Int
            if most <= Self.longestList {
                count = Self.insert(logits, from: least, most: most, into: tokens)
            } else {
                count = Self.gather(logits, from: least, into: tokens)
                Self.sort(tokens, count: count, by: rest.bindMemory(to: Token.self, capacity: vocabularySize))
            }
            result = body(
                UnsafeBufferPointer(start: tokens, count: min(count, most)),
                rest.bindMemory(to: Double.self, capacity: vocabularySize))
        }
        guard let result else { preconditionFailure("scratch memory is always to be had") }
        return result
    }

    /// - Returns: how many tokens.
    private static func gather(
        _ logits: UnsafeBufferPointer<Float>, from least: Float, into tokens: UnsafeMutablePointer<Token>
    ) -> Int {
        var count = 0
        for (id, logit) in logits.enumerated() {
            // Written anyway: what to write over is hard to foresee, and waiting for it is dear.
            tokens[count] = Token(id: id, logit: logit)
            count += logit >= least ? 1 : 0
        }
        return count
    }

    /// From the lowest digit of the logit to the highest, each time keeping the order of equals: the ids' at first.
    private static func sort(
        _ tokens: UnsafeMutablePointer<Token>, count: Int, by other: UnsafeMutablePointer<Token>
    ) {
        var (from, to) = (tokens, other)
        for shift in stride(from: keyBits.lowerBound, to: keyBits.upperBound, by: digitBits) {
            distribute(from, count: count, shift: shift, into: to)
            swap(&from, &to)
        }
    }

    private static func distribute(
        _ tokens: UnsafeMutablePointer<Token>, count: Int, shift: Int, into other: UnsafeMutablePointer<Token>
    ) {
        withUnsafeTemporaryAllocation(of: Int.self, capacity: digits) { places in
            places.initialize(repeating: 0)
            for index in 0..<count { places[digit(tokens[index], shift)] += 1 }
            var first = 0
            for digit in 0..<digits { (places[digit], first) = (first, first + places[digit]) }
            for index in 0..<count {
                let digit = digit(tokens[index], shift)
                other[places[digit]] = tokens[index]
                places[digit] += 1
            }
        }
    }

    private static func digit(_ token: Token, _ shift: Int) -> Int {
        Int(truncatingIfNeeded: token.bits >> UInt64(shift)) & (digits - 1)
    }

    /// - Returns: how many tokens.
    private static func insert(
        _ logits: UnsafeBufferPointer<Float>, from least: Float, most: Int, into tokens: UnsafeMutablePointer<Token>
    ) -> Int {
        var (count, least) = (0, least)
        for (id, logit) in logits.enumerated() where logit >= least {
            let token = Token(id: id, logit: logit)
            var place = count < most ? count : most - 1
            if count == most {
                guard token.bits < tokens[place].bits else { continue }
            } else {
                count += 1
            }
            while place > 0, token.bits < tokens[place - 1].bits {
                tokens[place] = tokens[place - 1]
                place -= 1
            }
            tokens[place] = token
            if count == most { least = tokens[most - 1].logit }
        }
        return count
    }
}
