internal import Cluster
internal import Foundation

/// Dispatch and combine of one layer beside a plain exchange of the same bytes, measured by turns in one run.
package struct DispatchReport: Sendable, Encodable {
    package let workers: Int
    package let hiddenSize: Int
    package let rows: Int
    /// How hidden vectors travel to the experts.
    package let wire: String
    /// Over all workers.
    package let bytesOut: Int
    package let bytesBack: Int
    /// Seconds from the dispatch to the end of the combine.
    package let dispatchSeconds: Samples.Summary
    /// Seconds that the slowest worker computed of them, on average.
    package let computeSeconds: Double
    /// Seconds of the plain exchange.
    package let pingPongSeconds: Samples.Summary
    package let ratio: Double

    package init(
        hiddenSize: Int, rows: Int, wire: String, sizes: [PingPong.Sizes], dispatch: Samples, computeSeconds: Double,
        pingPong: Samples
    ) {
        workers = sizes.count
        self.hiddenSize = hiddenSize
        self.rows = rows
        self.wire = wire
        bytesOut = sizes.reduce(0) { $0 + $1.out }
        bytesBack = sizes.reduce(0) { $0 + $1.back }
        dispatchSeconds = dispatch.summary
        self.computeSeconds = computeSeconds
        pingPongSeconds = pingPong.summary
        ratio = dispatch.median / pingPong.median
    }

    package var text: String {
        func span(_ summary: Samples.Summary) -> String {
            "\(Amount.seconds(summary.median)) (\(Amount.seconds(summary.p10))..\(Amount.seconds(summary.p90)))"
        }
        return """
            \(workers) workers, hidden size \(hiddenSize), \(rows) rows, wire \(wire): \
            \(Amount.grouped(bytesOut)) bytes out, \(Amount.grouped(bytesBack)) back
            dispatch + combine  \(span(dispatchSeconds)), of which experts \(Amount.seconds(computeSeconds))
            TCP ping-pong       \(span(pingPongSeconds))
            ratio               \(String(format: "%.2f", ratio))
            """
    }
}
