package import Checkpoint
internal import Foundation

/// Rotary position embedding with YaRN: pairs of neighbouring dimensions (2i, 2i + 1) turn by position *
/// inverseFrequency[i]. Source: DeepSeek-V3 `inference/model.py` (precompute_freqs_cis) and transformers'
/// `_compute_yarn_parameters`.
package struct Rotary: Sendable {
    /// [rope dimension / 2]
    package let inverseFrequencies: [Float]
    /// Multiplies cosines and sines.
    package let amplitude: Float
    /// Multiplies attention scores: (nope + rope)^-0.5, times YaRN's mscale squared.
    package let softmaxScale: Float

    package init(_ config: ModelConfig) {
        let dimension = config.ropeDimension
        let plain = (0..<dimension / 2).map { pow(config.rope.theta, -2 * Double($0) / Double(dimension)) }
        let scale = pow(Double(config.nopeDimension + dimension), -0.5)
        guard let yarn = config.rope.yarn else {
            inverseFrequencies = plain.map(Float.init)
            amplitude = 1
            softmaxScale = Float(scale)
            return
        }
        let ramp = Self.ramp(yarn, theta: config.rope.theta, dimension: dimension)
        inverseFrequencies = zip(plain, ramp).map { Float($0 * (1 - $1) + $0 / yarn.factor * $1) }
        amplitude = Float(yarn.rotationFactor)
        softmaxScale = Float(scale * yarn.softmaxFactor)
    }

    /// The cosine and sine of every pair at a position: turn [rope dimension], (cosine, sine) by turns. The angle is
    /// rounded to f32 as in the published code, its cosine is not.
    func turn(at position: Int, into turn: UnsafeMutablePointer<Float>) {
        for (index, frequency) in inverseFrequencies.enumerated() {
            let angle = Double(Float(position) * frequency)
            turn[2 * index] = Float(cos(angle)) * amplitude
            turn[2 * index + 1] = Float(sin(angle)) * amplitude
        }
    }

    /// 0 keeps a frequency, 1 divides it by the factor.
    private static func ramp(_ yarn: YarnConfig, theta: Double, dimension: Int) -> [Double] {
        func pair(turning rotations: Double) -> Double {
            Double(dimension) * log(Double(yarn.originalMaximumPositions) / (rotations * 2 * .pi)) / (2 * log(theta))
        }
        let low = max(pair(turning: yarn.betaFast).rounded(.down), 0)
        let high = min(pair(turning: yarn.betaSlow).rounded(.up), Double(dimension - 1))
        let span = high == low ? 0.001 : high - low
        return (0..<dimension / 2).map { min(max((Double($0) - low) / span, 0), 1) }
    }
}
