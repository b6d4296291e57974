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

    /// The same, and takes each row into an operand while it is in the cache.
    /// - Parameters:
    ///   - branch: [rows, gain.count], added to the input first; nil: nothing is.
    ///   - operand: its `loaded` rows are the output's, in these forms.
    func apply(
        _ input: UnsafeMutablePointer<Float>, adding branch: UnsafePointer<Float>? = nil, rows: Int,
        into output: UnsafeMutablePointer<Float>, _ operand: Operand, for forms: RowForms,
        _ processor: Processor
    ) {
        let count = gain.count
        processor.team.forEach(rows) { row in
            let offset = row * count
            if let branch {
                processor.kernels.accumulate(branch + offset, weight: 1, count: count, into: input + offset)
            }
            apply(input + offset, into: output + offset, processor)
            operand.take(row: row, output + offset, columns: count, for: forms, processor.kernels)
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
