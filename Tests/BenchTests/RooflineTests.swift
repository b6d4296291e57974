import Bench
import Foundation
import Testing

@Suite struct RooflineTests {
    private static func report() -> KernelReport {
        let limits = MachineLimits(
            threads: 2, kernelSet: "scalar", readBandwidth: Samples([50e9]), peakF32: Samples([100e9]),
            peakBF16: Samples([400e9]), peakInt8: Samples([800e9]))
        let seconds = Samples([1e-3]).summary
        return KernelReport(
            limits: limits,
            measurements: [
                KernelMeasurement(
                    kernel: "product <a> & b", shape: "8x8", arithmetic: .bf16, bytes: 25e6, operations: 50e6,
                    seconds: seconds),
                KernelMeasurement(
                    kernel: "attend", shape: "8x8", arithmetic: .f32, bytes: 1e6, operations: 50e6, seconds: seconds),
            ])
    }

    @Test("shares are of the measured limits")
    func shares() {
        let report = Self.report()
        #expect(report.measurements[0].bandwidthShare(of: report.limits) == 0.5)
        #expect(report.measurements[0].peakShare(of: report.limits) == 0.125)
        #expect(report.measurements[1].peakShare(of: report.limits) == 0.5)
    }

    @Test("decades have equal lengths and cover every value")
    func axis() {
        let axis = LogAxis(covering: [3, 500], start: 0, end: 300)
        #expect(axis.decades == 0...3)
        #expect(abs(axis.place(10) - 100) < 1e-9)
        #expect(abs(axis.place(100) - 200) < 1e-9)
        #expect(axis.ticks.map(\.label) == ["1", "10", "100", "1000"])
        #expect(LogAxis(covering: [], start: 0, end: 1).decades == 0...1)
        #expect(LogAxis(covering: [1e5], start: 0, end: 1).ticks.map(\.label) == ["10^5", "10^6"])
    }

    @Test("the drawing is well-formed, with a dot for each kernel and each name, inside the sheet")
    func drawing() throws {
        let svg = Roofline(Self.report()).svg
        #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n"))
        #expect(svg.components(separatedBy: "<circle").count - 1 == 4)
        #expect(svg.contains("product &lt;a&gt; &amp; b"))
        #expect(svg.contains("reads 50.0 GB/s") && svg.contains("bf16 peak 400 GFLOP/s"))
        for coordinate in svg.matches(of: /\b(?:cx|cy|x1|x2|y1|y2|x|y)="(-?[0-9.]+)"/) {
            let value = try #require(Double(coordinate.output.1))
            #expect(0...1000 ~= value)
        }
    }

    @Test("the text and the JSON name each kernel with its shares")
    func texts() throws {
        let report = Self.report()
        let line = try #require(report.text.split(separator: "\n").first { $0.hasPrefix("product") })
        #expect(line.contains("25.0") && line.contains("50 %") && line.contains("12 %"))
        let json = String(decoding: try JSONEncoder().encode(report), as: UTF8.self)
        #expect(json.contains("\"bandwidthShare\":0.5") && json.contains("\"readBandwidth\":{"))
    }
}
