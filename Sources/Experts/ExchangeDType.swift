package import Kernels

/// How hidden vectors travel from the coordinator to the experts, and answers back. Experts in the same process round
/// the same way, so that where an expert lives never changes a result.
package enum ExchangeDType: String, Sendable, CaseIterable {
    case f32
    case bf16
    /// Out as FP8 (e4m3) with an f32 scale for each `KernelSet.rowBlock` columns; answers come back in bf16.
    case fp8

    /// Bytes of a hidden vector on its way to the experts. In FP8 the scales come first, then the codes, filled up to
    /// four bytes.
    package func rowByteCount(_ hiddenSize: Int) -> Int {
        switch self {
        case .f32: 4 * hiddenSize
        case .bf16: 2 * hiddenSize
        case .fp8: 4 * Self.scaleCount(hiddenSize) + (hiddenSize + 3) / 4 * 4
        }
    }

    /// Bytes of an answer.
    package func answerByteCount(_ hiddenSize: Int) -> Int {
        switch self {
        case .f32: 4 * hiddenSize
        case .bf16, .fp8: 2 * hiddenSize
        }
    }

    /// Scales of a hidden vector in FP8.
    static func scaleCount(_ hiddenSize: Int) -> Int {
        (hiddenSize + KernelSet.rowBlock - 1) / KernelSet.rowBlock
    }

    /// What loses nothing that the arithmetic would have kept: products round their input to bf16 in `fast`.
    package static func standard(for compute: Compute) -> ExchangeDType {
        switch compute {
        case .f32: .f32
        case .fast: .bf16
        }
    }
}
