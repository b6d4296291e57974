internal import Foundation
internal import Kernels

/// Kernels under the roof that memory and arithmetic make: operations per second over operations per byte, both axes
/// logarithmic.
package struct Roofline {
    private let report: KernelReport
    private let x: LogAxis
    private let y: LogAxis

    package init(_ report: KernelReport) {
        self.report = report
        let measurements = report.measurements
        let peaks = KernelSet.Arithmetic.allCases.map(report.limits.peak)
        x = LogAxis(
            covering: measurements.map(\.intensity) + peaks.map { $0 / report.limits.readBandwidth.median },
            start: Self.left, end: Self.right)
        y = LogAxis(
            covering: (measurements.map(\.operationsPerSecond) + peaks).map { $0 / 1e9 }, start: Self.bottom,
            end: Self.top)
    }

    package var svg: String {
        var drawing = SVG(width: Self.width, height: Self.height)
        drawGrid(&drawing)
        drawKernels(&drawing)
        drawRoof(&drawing)
        return drawing.text
    }

    private func drawGrid(_ drawing: inout SVG) {
        for (value, label) in x.ticks {
            drawing.line((x.place(value), y.start), (x.place(value), y.end), colour: Self.gridColour)
            drawing.write(label, at: (x.place(value), y.start + 18), anchor: .middle)
        }
        for (value, label) in y.ticks {
            drawing.line((x.start, y.place(value)), (x.end, y.place(value)), colour: Self.gridColour)
            drawing.write(label, at: (x.start - 8, y.place(value) + 4), anchor: .end)
        }
        drawing.write(
            "operations per byte read or written", at: ((x.start + x.end) / 2, y.start + 40), anchor: .middle)
        drawing.write("GFLOP/s", at: (x.start - 48, (y.start + y.end) / 2), anchor: .middle, turn: -90)
        drawing.write(
            "\(report.limits.threads) threads, \(report.limits.kernelSet)", at: (x.start, y.end - 14), size: 15)
    }

    /// The slope of the read bandwidth, and a ceiling for each arithmetic.
    private func drawRoof(_ drawing: inout SVG) {
        let limits = report.limits
        let bandwidth = limits.readBandwidth.median
        for arithmetic in KernelSet.Arithmetic.allCases {
            let peak = limits.peak(arithmetic)
            let level = y.place(peak / 1e9)
            drawing.line((x.place(peak / bandwidth), level), (x.end, level), colour: Self.roofColour, width: 2)
            drawing.write(
                String(format: "%@ peak %.0f GFLOP/s", arithmetic.rawValue, peak / 1e9), at: (x.end - 4, level - 6),
                anchor: .end,
                colour: Self.roofColour)
        }
        let highest = KernelSet.Arithmetic.allCases.map(limits.peak).max() ?? 0
        let lowestIntensity = max(x.lowest, y.lowest * 1e9 / bandwidth)
        let foot = (x.place(lowestIntensity), y.place(lowestIntensity * bandwidth / 1e9))
        let ridge = (x.place(highest / bandwidth), y.place(highest / 1e9))
        drawing.line(foot, ridge, colour: Self.roofColour, width: 2)
        let place = (foot.0 + (ridge.0 - foot.0) / 4 - 8, foot.1 + (ridge.1 - foot.1) / 4 - 8)
        drawing.write(
            String(format: "reads %.1f GB/s", bandwidth / 1e9), at: place, anchor: .middle, colour: Self.roofColour,
            turn: atan2(ridge.1 - foot.1, ridge.0 - foot.0) * 180 / .pi)
    }

    private func drawKernels(_ drawing: inout SVG) {
        var names: [String] = []
        for measurement in report.measurements where !names.contains(measurement.kernel) {
            names.append(measurement.kernel)
        }
        for measurement in report.measurements {
            guard let index = names.firstIndex(of: measurement.kernel) else { continue }
            drawing.dot(
                (x.place(measurement.intensity), y.place(measurement.operationsPerSecond / 1e9)), radius: 4.5,
                colour: Self.colour(index),
                title: "\(measurement.kernel), \(measurement.shape): "
                    + String(format: "%.1f GFLOP/s", measurement.operationsPerSecond / 1e9))
        }
        for (index, name) in names.enumerated() {
            let place = (x: x.end + 24, y: y.end + 10 + Double(index) * 20)
            drawing.dot(place, radius: 4.5, colour: Self.colour(index), title: name)
            drawing.write(name, at: (place.x + 12, place.y + 4))
        }
    }

    private static func colour(_ index: Int) -> String { palette[index % palette.count] }

    private static let width = 1000
    private static let height = 620
    private static let left = 80.0
    private static let right = 800.0
    private static let top = 50.0
    private static let bottom = 560.0
    private static let gridColour = "#dddddd"
    private static let roofColour = "#444444"
    private static let palette = [
        "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf",
        "#000080", "#800000",
    ]
}
