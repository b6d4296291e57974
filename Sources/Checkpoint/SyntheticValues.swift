internal import Foundation
internal import Kernels
internal import Synchronization

/// How the values of one random tensor are spread.
enum SyntheticDistribution: Hashable {
    case normal(deviation: Double)
    /// factor * exp(sigma * z): positive values of many magnitudes.
    case logNormal(sigma: Double, factor: Double)

    /// The value that belongs to a quantile of the standard normal distribution.
    func value(at quantile: Double) -> Float {
        switch self {
        case .normal(let deviation): Float(deviation * quantile)
        case .logNormal(let sigma, let factor): Float(factor * exp(sigma * quantile))
        }
    }
}

/// Tables from random bits to values: 65,536 equally likely quantiles for wide dtypes, 256 for FP8 codes.
final class SyntheticTables: Sendable {
    /// Entries of the tables of f32 and bf16 values: one per 16 random bits.
    static let wideCount = 1 << 16
    /// FP8 codes by 8 random bits.
    let codes: [UInt8]
    /// Standard deviation of what the codes stand for.
    let codeDeviation: Double
    private let quantiles: [Double]
    private let floatTables = Mutex<[SyntheticDistribution: [Float]]>([:])
    private let bfloatTables = Mutex<[SyntheticDistribution: [UInt16]]>([:])

    init() {
        quantiles = Self.normalQuantiles(count: Self.wideCount)
        let coarse = Self.normalQuantiles(count: 256)
        let spread = Double(Float8.maximum) / coarse[255]
        codes = coarse.map { Float8.code(nearest: Float($0 * spread)) }
        let squares = codes.map { pow(Double(Float8.value(of: $0)), 2) }
        codeDeviation = (squares.reduce(0, +) / Double(squares.count)).squareRoot()
    }

    func floats(_ distribution: SyntheticDistribution) -> [Float] {
        floatTables.withLock { cache in
            if let table = cache[distribution] { return table }
            let table = quantiles.map { distribution.value(at: $0) }
            cache[distribution] = table
            return table
        }
    }

    func bfloats(_ distribution: SyntheticDistribution) -> [UInt16] {
        bfloatTables.withLock { cache in
            if let table = cache[distribution] { return table }
            let table = quantiles.map { Self.bfloat(distribution.value(at: $0)) }
            cache[distribution] = table
            return table
        }
    }

    /// Rounded to nearest, ties to even; finite values only.
    static func bfloat(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
    }

    /// The standard normal quantiles of (i + 0.5) / count, symmetric about 0, by Newton steps from one to the next.
    private static func normalQuantiles(count: Int) -> [Double] {
        var result = [Double](repeating: 0, count: count)
        var quantile = 0.0
        for index in count / 2..<count {
            let upperTail = 1 - (Double(index) + 0.5) / Double(count)
            for _ in 0..<8 {
                let density = exp(-quantile * quantile / 2) / (2 * Double.pi).squareRoot()
                quantile += (0.5 * erfc(quantile / 2.0.squareRoot()) - upperTail) / density
            }
            result[index] = quantile
            result[count - 1 - index] = -quantile
        }
        return result
    }
}

/// FP8 e4m3 "fn" numbers, for making tables; kernels have their own, fast ones.
enum Float8 {
    static let maximum: Float = 448

    static func value(of code: UInt8) -> Float {
        let exponent = Int(code >> 3 & 15)
        let mantissa = Float(code & 7) / 8
        let magnitude =
            exponent == 0
            ? Float(sign: .plus, exponent: -6, significand: 1) * mantissa
            : Float(sign: .plus, exponent: exponent - 7, significand: 1) * (1 + mantissa)
        return code & 0x80 == 0 ? magnitude : -magnitude
    }

    static func code(nearest value: Float) -> UInt8 {
        let magnitude = abs(value)
        let best = (UInt8(0)...0x7E).min { abs(Self.value(of: $0) - magnitude) < abs(Self.value(of: $1) - magnitude) }
        return (best ?? 0) | (value < 0 ? 0x80 : 0)
    }
}
