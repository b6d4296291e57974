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
    /// Seconds that the slowest worker computed of them.
    package let expertSeconds: Samples.Summary
    /// Seconds of each dispatch without those: the way there and back.
    package let wayThereAndBackSeconds: Samples.Summary
    /// Seconds of the plain exchange.
    package let pingPongSeconds: Samples.Summary
    /// Of the way there and back to the plain exchange.
    package let ratio: Double

    package init(
        hiddenSize: Int, rows: Int, wire: String, sizes: [PingPong.Sizes], outcome: LayerRun.Outcome,
        pingPong: Samples
    ) {
        workers = sizes.count
        self.hiddenSize = hiddenSize
        self.rows = rows
        self.wire = wire
        bytesOut = sizes.reduce(0) { $0 + $1.out }
        bytesBack = sizes.reduce(0) { $0 + $1.back }
        dispatchSeconds = outcome.whole.summary
        expertSeconds = outcome.experts.summary
        wayThereAndBackSeconds = outcome.way.summary
        pingPongSeconds = pingPong.summary
        ratio = outcome.way.median / pingPong.median
    }

    package var text: String {
        """
        \(workers) workers, hidden size \(hiddenSize), \(rows) rows, wire \(wire): \
        \(Amount.grouped(bytesOut)) bytes out, \(Amount.grouped(bytesBack)) back
        dispatch + combine  \(dispatchSeconds.secondsText)
        experts             \(expertSeconds.secondsText)
        way there and back  \(wayThereAndBackSeconds.secondsText)
        TCP ping-pong       \(pingPongSeconds.secondsText)
        ratio               \(String(format: "%.2f", ratio))
        """
    }
}
