package import Kernels

/// One kernel on one shape.
package struct KernelMeasurement: Sendable, Encodable {
    /// "product fp8 x bf16"
    package let kernel: String
    /// "7168x2048, 8 rows"
    package let shape: String
    /// Which of the machine's arithmetic limits holds for it.
    package let arithmetic: KernelSet.Arithmetic
    /// Bytes that must cross the memory bus once.
    package let bytes: Double
    /// Floating-point operations.
    package let operations: Double
    package let seconds: Samples.Summary
    /// Bytes per second that plain reads reached right before and after; nil: what they reached in the whole run.
    package var readBandwidth: Double?

    package init(
        kernel: String, shape: String, arithmetic: KernelSet.Arithmetic, bytes: Double, operations: Double,
        seconds: Samples.Summary
    ) {
        self.kernel = kernel
        self.shape = shape
        self.arithmetic = arithmetic
        self.bytes = bytes
        self.operations = operations
        self.seconds = seconds
    }

    package var bytesPerSecond: Double { bytes / seconds.median }
    package var operationsPerSecond: Double { operations / seconds.median }
    /// Operations for each byte: where the kernel stands on the roofline.
    package var intensity: Double { operations / bytes }

    package func bandwidthShare(of limits: MachineLimits) -> Double {
        bytesPerSecond / (readBandwidth ?? limits.readBandwidth.median)
    }

    package func peakShare(of limits: MachineLimits) -> Double {
        operationsPerSecond / limits.peak(arithmetic)
    }
}

extension MachineLimits {
    /// Operations per second.
    package func peak(_ arithmetic: KernelSet.Arithmetic) -> Double {
        switch arithmetic {
        case .f32: peakF32.median
        case .bf16: peakBF16.median
        case .int8: peakInt8.median
        }
    }
}
