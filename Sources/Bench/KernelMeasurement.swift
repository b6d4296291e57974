/// One kernel on one shape.
package struct KernelMeasurement: Sendable, Encodable {
    /// Which of the machine's two arithmetic limits holds for a kernel.
    package enum Arithmetic: String, Sendable, Encodable {
        case f32
        case bf16
    }

    /// "product fp8 x bf16"
    package let kernel: String
    /// "7168x2048, 8 rows"
    package let shape: String
    package let arithmetic: Arithmetic
    /// Bytes that must cross the memory bus once.
    package let bytes: Double
    /// Floating-point operations.
    package let operations: Double
    package let seconds: Samples.Summary
    /// Bytes per second that plain reads reached right before and after; nil: what they reached in the whole run.
    package var readBandwidth: Double?

    package init(
        kernel: String, shape: String, arithmetic: Arithmetic, bytes: Double, operations: Double,
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
    package func peak(_ arithmetic: KernelMeasurement.Arithmetic) -> Double {
        switch arithmetic {
        case .f32: peakF32.median
        case .bf16: peakBF16.median
        }
    }
}
