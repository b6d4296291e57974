/// SHA-256 (FIPS 180-4) of short texts, for comparing with published digests.
enum Digest {
    static func sha256(_ message: [UInt8]) -> String {
        let constants = roots(primes(64)) { $0 - ($0 * $0 * $0 - $1) / (3 * $0 * $0) }
        var hash = roots(primes(8)) { $0 - ($0 * $0 - $1) / (2 * $0) }
        var padded = message + [0x80]
        while padded.count % 64 != 56 { padded.append(0) }
        padded += (0..<8).map { UInt8(truncatingIfNeeded: UInt64(8 * message.count) >> (56 - 8 * $0)) }
        for start in stride(from: 0, to: padded.count, by: 64) {
            compress(Array(padded[start..<start + 64]), into: &hash, constants)
        }
        return hash.map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined()
    }

    private static func compress(_ block: [UInt8], into hash: inout [UInt32], _ constants: [UInt32]) {
        func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 { word >> count | word << (32 - count) }
        var words = (0..<16).map { place in block[place * 4..<place * 4 + 4].reduce(0) { $0 << 8 | UInt32($1) } }
        for place in 16..<64 {
            let (early, late) = (words[place - 15], words[place - 2])
            let first = rotate(early, 7) ^ rotate(early, 18) ^ early >> 3
            let second = rotate(late, 17) ^ rotate(late, 19) ^ late >> 10
            words.append(words[place - 16] &+ first &+ words[place - 7] &+ second)
        }
        var state = hash
        for place in 0..<64 {
            let (e, a) = (state[4], state[0])
            let choice = e & state[5] ^ ~e & state[6]
            let majority = a & state[1] ^ a & state[2] ^ state[1] & state[2]
            let first =
                state[7] &+ (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) &+ choice &+ constants[place] &+ words[place]
            let second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) &+ majority
            state = [first &+ second, a, state[1], state[2], state[3] &+ first, e, state[5], state[6]]
        }
        for place in 0..<8 { hash[place] &+= state[place] }
    }

    private static func primes(_ count: Int) -> [Double] {
        var primes: [Int] = []
        var number = 2
        while primes.count < count {
            if primes.allSatisfy({ !number.isMultiple(of: $0) }) { primes.append(number) }
            number += 1
        }
        return primes.map(Double.init)
    }

    /// The first 32 bits of the fractional parts of roots, by Newton's steps.
    private static func roots(_ primes: [Double], step: (Double, Double) -> Double) -> [UInt32] {
        primes.map { prime in
            var root = prime
            for _ in 0..<60 { root = step(root, prime) }
            return UInt32((root - root.rounded(.down)) * 0x1p32)
        }
    }
}
