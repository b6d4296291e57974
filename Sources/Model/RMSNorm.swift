internal import Kernels

/// Root-mean-square normalisation with a gain per column, statistics in f32.
struct RMSNorm {
    let gain: [Float]
    let epsilon: Float

    /// output [rows, gain.count]; may be the input.
    func apply(
        _ input: UnsafePointer<Float>, rows: Int, into output: UnsafeMutablePointer<Float>, _ processor: Processor
    ) {
        processor.team.forEach(rows) { row in
            apply(input + row * gain.count, into: output + row * gain.count, processor)
        }
    }

    /// One row; may be in place.
    func apply(_ input: UnsafePointer<Float>, into output: UnsafeMutablePointer<Float>, _ processor: Processor) {
        gain.withUnsafeBufferPointer { gain in
            guard let base = gain.baseAddress else { return }
            processor.kernels.rmsNorm(input, gain: base, epsilon: epsilon, count: gain.count, into: output)
        }
    }
}
