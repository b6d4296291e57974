internal import Cluster
internal import Foundation
internal import Kernels

/// Kernels beside the limits of the machine that ran them, all measured in one run.
package struct KernelReport: Sendable, Encodable {
    package let limits: MachineLimits
    package let measurements: [KernelMeasurement]

    package init(limits: MachineLimits, measurements: [KernelMeasurement]) {
        self.limits = limits
        self.measurements = measurements
    }

    /// A line on the machine, and a table of the kernels.
    package var text: String {
        var table = TextTable(header: [
            "kernel", "shape", "median", "p10..p90", "GB/s", "of bandwidth", "GFLOP/s", "of peak",
        ])
        for measurement in measurements {
            table.add([
                measurement.kernel, measurement.shape, Amount.seconds(measurement.seconds.median),
                "\(Amount.seconds(measurement.seconds.p10))..\(Amount.seconds(measurement.seconds.p90))",
                Self.giga(measurement.bytesPerSecond), Self.percent(measurement.bandwidthShare(of: limits)),
                Self.giga(measurement.operationsPerSecond), Self.percent(measurement.peakShare(of: limits)),
            ])
        }
        return ([limits.text] + table.lines()).joined(separator: "\n")
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(limits, forKey: .limits)
        try container.encode(
            measurements.map { Line(measurement: $0, limits: limits) }, forKey: .kernels)
    }

    private enum Key: CodingKey {
        case limits, kernels
    }

    /// A measurement with what follows from it.
    private struct Line: Encodable {
        let kernel: String
        let shape: String
        let bytes: Double
        let operations: Double
        let seconds: Samples.Summary
        let gigabytesPerSecond: Double
        let bandwidthShare: Double
        let gigaflopsPerSecond: Double
        let peak: KernelSet.Arithmetic
        let peakShare: Double

        init(measurement: KernelMeasurement, limits: MachineLimits) {
            kernel = measurement.kernel
            shape = measurement.shape
            bytes = measurement.bytes
            operations = measurement.operations
            seconds = measurement.seconds
            gigabytesPerSecond = measurement.bytesPerSecond / 1e9
            bandwidthShare = measurement.bandwidthShare(of: limits)
            gigaflopsPerSecond = measurement.operationsPerSecond / 1e9
            peak = measurement.arithmetic
            peakShare = measurement.peakShare(of: limits)
        }
    }

    private static func giga(_ value: Double) -> String { String(format: "%.1f", value / 1e9) }

    private static func percent(_ share: Double) -> String { String(format: "%.0f %%", share * 100) }
}

extension MachineLimits {
    /// "4 threads, avx512bf16: reads 60.1 GB/s (55.2..61.0), ..."
    package var text: String {
        func span(_ samples: Samples) -> String {
            let summary = samples.summary
            return String(format: "%.1f (%.1f..%.1f)", summary.median / 1e9, summary.p10 / 1e9, summary.p90 / 1e9)
        }
        return "\(threads) threads, \(kernelSet): reads \(span(readBandwidth)) GB/s, "
            + "f32 peak \(span(peakF32)) GFLOP/s, bf16 peak \(span(peakBF16)) GFLOP/s, "
            + "int8 peak \(span(peakInt8)) GFLOP/s"
    }
}
