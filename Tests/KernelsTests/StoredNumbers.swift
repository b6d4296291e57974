import Kernels

/// What the bits of a stored number mean, worked out in double precision from the definitions of the formats.
enum StoredNumbers {
    static func value(_ dtype: WeightDType, bits: UInt32) -> Double {
        switch dtype {
        case .f32: Double(Float(bitPattern: bits))
        case .f16: value(bits, exponentBits: 5, mantissaBits: 10)
        case .bf16: value(bits, exponentBits: 8, mantissaBits: 7)
        case .int8: Double(bits & 0x7F) - Double(bits & 0x80)
        case .int4: Double(bits & 7) - Double(bits & 8)
        case .f8e4m3: bits & 0x7F == 0x7F ? .nan : finite(bits, exponentBits: 4, mantissaBits: 3)
        }
    }

    /// Random bits of finite numbers; bf16 and f32 with exponents in `exponents`.
    static func randomBits(
        _ dtype: WeightDType, exponents: ClosedRange<Int>, using numbers: inout RandomNumbers
    ) -> UInt32 {
        switch dtype {
        case .f32:
            return numbers.float(exponents: exponents).bitPattern
        case .bf16:
            return numbers.float(exponents: exponents).bitPattern >> 16
        case .int8:
            return UInt32.random(in: 0..<256, using: &numbers)
        case .int4:
            return UInt32.random(in: 0..<16, using: &numbers)
        case .f16, .f8e4m3:
            while true {
                let bits = UInt32.random(in: 0..<(dtype == .f16 ? 1 << 16 : 1 << 8), using: &numbers)
                if value(dtype, bits: bits).isFinite { return bits }
            }
        }
    }

    /// As IEEE 754 has it: the largest exponent stands for infinity and NaN.
    private static func value(_ bits: UInt32, exponentBits: Int, mantissaBits: Int) -> Double {
        let largest = UInt32(1) << exponentBits - 1
        guard bits >> mantissaBits & largest == largest else {
            return finite(bits, exponentBits: exponentBits, mantissaBits: mantissaBits)
        }
        if bits & (1 << mantissaBits - 1) != 0 { return .nan }
        return bits >> (exponentBits + mantissaBits) == 0 ? .infinity : -.infinity
    }

    private static func finite(_ bits: UInt32, exponentBits: Int, mantissaBits: Int) -> Double {
        let bias = 1 << (exponentBits - 1) - 1
        let exponent = Int(bits >> mantissaBits) & (1 << exponentBits - 1)
        let fraction = Double(bits & (1 << mantissaBits - 1)) / Double(1 << mantissaBits)
        let significand = exponent == 0 ? fraction : 1 + fraction
        let scale = Double(sign: .plus, exponent: max(exponent, 1) - bias, significand: 1)
        return (bits >> (exponentBits + mantissaBits) == 0 ? 1 : -1) * significand * scale
    }
}
