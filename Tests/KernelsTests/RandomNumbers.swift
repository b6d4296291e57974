/// Seeded numbers of both signs and many magnitudes.
struct RandomNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: Int) {
        state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1
    }

    /// SplitMix64, after Steele, Lea and Flood.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Sign and mantissa at random, the exponent of base 2 at random in `exponents` (subnormal below -126); now and
    /// then a zero.
    mutating func float(exponents: ClosedRange<Int>) -> Float {
        let sign: Float = Bool.random(using: &self) ? -1 : 1
        if Int.random(in: 0..<32, using: &self) == 0 { return sign * 0 }
        let mantissa = Double.random(in: 1..<2, using: &self)
        let exponent = Int.random(in: exponents, using: &self)
        return sign * Float(mantissa * Double(sign: .plus, exponent: exponent, significand: 1))
    }
}
