import Bench
import Testing

@Suite struct DispatchReportTests {
    @Test("the way is the dispatch without the slowest worker's computing, and stands beside the plain exchange")
    func report() {
        let report = DispatchReport(
            hiddenSize: 7168, rows: 2, wire: "fp8", sizes: [.init(out: 1000, back: 200), .init(out: 500, back: 34)],
            outcome: LayerRun.Outcome(
                whole: [0.010, 0.020, 0.030], experts: [0.008, 0.014, 0.022]),
            pingPong: Samples([0.002, 0.003, 0.004]))
        #expect(report.workers == 2 && report.bytesOut == 1500 && report.bytesBack == 234)
        #expect(report.dispatchSeconds.median == 0.020 && report.expertSeconds.median == 0.014)
        #expect(abs(report.wayThereAndBackSeconds.median - 0.006) < 1e-12)
        #expect(abs(report.ratio - 2) < 1e-9)
        let lines = report.text.split(separator: "\n")
        #expect(lines.count == 6)
        #expect(lines[0] == "2 workers, hidden size 7168, 2 rows, wire fp8: 1,500 bytes out, 234 back")
        #expect(lines[4] == "TCP ping-pong       3.00 ms (2.20 ms..3.80 ms)")
        #expect(lines[5] == "ratio               2.00")
    }
}
