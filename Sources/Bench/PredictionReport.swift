package import Cluster
internal import Foundation

/// What a plan predicts of each phase of a step beside what was measured.
package struct PredictionReport: Sendable, Encodable {
    package enum Phase: String, Sendable, Encodable {
        /// Attention, dense layers, router, shared experts and head.
        case coordinator
        /// The slowest worker of each layer.
        case experts
        /// Dispatch and combine without the experts' work.
        case way
        case step
    }

    package struct Line: Sendable, Encodable {
        package let batch: Int
        package let phase: Phase
        package let predictedSeconds: Double
        package let measuredSeconds: Double
        /// Predicted to measured.
        package let ratio: Double
        /// Whether the rates were fitted to this very measurement.
        package let isFitted: Bool
    }

    /// One layer's dispatch and combine, measured by themselves.
    package struct Layer: Sendable, Encodable {
        package let batch: Int
        package let dispatchSeconds: Samples.Summary
        package let expertSeconds: Samples.Summary
        package let waySeconds: Samples.Summary

        package init(batch: Int, _ outcome: LayerRun.Outcome) {
            self.batch = batch
            dispatchSeconds = outcome.whole.summary
            expertSeconds = outcome.experts.summary
            waySeconds = outcome.way.summary
        }
    }

    package let model: String
    package let workers: Int
    package let threads: Int
    package let wire: String
    package let positions: Int
    package let rates: MeasuredRates
    package let layers: [Layer]
    package let lines: [Line]

    /// - Parameter measurements: ascending by batch; the rates were fitted to the first and the last.
    package init(
        model: String, workers: Int, threads: Int, wire: String, positions: Int, rates: MeasuredRates,
        layers: [Layer], measurements: [PlanCalibration.Measurement], calibration: PlanCalibration
    ) throws(PlanError) {
        self.model = model
        self.workers = workers
        self.threads = threads
        self.wire = wire
        self.positions = positions
        self.rates = rates
        self.layers = layers
        var lines: [Line] = []
        for (index, measured) in measurements.enumerated() {
            let predicted = try calibration.prediction(batch: measured.batch, rates)
            let isFitted = index == 0 || index == measurements.count - 1
            for (phase, seconds, actual) in [
                (Phase.coordinator, predicted.coordinatorSeconds, measured.coordinatorSeconds),
                (.experts, predicted.workerSeconds, measured.workerSeconds),
                (.way, predicted.networkSeconds, measured.waySeconds),
                (.step, predicted.stepSeconds, measured.stepSeconds),
            ] {
                lines.append(
                    Line(
                        batch: measured.batch, phase: phase, predictedSeconds: seconds, measuredSeconds: actual,
                        ratio: seconds / actual, isFitted: isFitted && phase != .step))
            }
        }
        self.lines = lines
    }

    package var text: String {
        let head = "\(model), \(workers) workers, \(threads) threads, wire \(wire), \(positions) positions"
        return ([head, ""] + layerTable() + [""] + lineTable() + [""] + rateLines()).joined(separator: "\n")
    }

    private func layerTable() -> [String] {
        var table = TextTable(header: ["one layer", "dispatch + combine", "experts", "way there and back"])
        for layer in layers {
            table.add(
                [Self.sequences(layer.batch)]
                    + [layer.dispatchSeconds, layer.expertSeconds, layer.waySeconds].map(\.secondsText))
        }
        return table.lines()
    }

    private func lineTable() -> [String] {
        var table = TextTable(header: ["one step", "phase", "predicted", "measured", "ratio", ""])
        for line in lines {
            table.add([
                Self.sequences(line.batch), line.phase.rawValue, Amount.seconds(line.predictedSeconds),
                Amount.seconds(line.measuredSeconds), String(format: "%.2f", line.ratio),
                line.isFitted ? "fitted" : "",
            ])
        }
        return table.lines()
    }

    private func rateLines() -> [String] {
        [("coordinator", rates.coordinator), ("worker", rates.worker)].map { name, rates in
            let arithmetic = rates.multiplyAddsPerSecond
            let text =
                arithmetic < MeasuredRates.most
                ? String(format: "%.0f G multiply-adds/s", arithmetic / 1e9) : "arithmetic in no time"
            return "\(name): \(Self.bytes(rates.memoryBandwidth)), \(text)"
        } + ["way: \(Amount.seconds(rates.roundTripSeconds)) a layer, \(Self.bytes(rates.linkBandwidth))"]
    }

    private static func bytes(_ rate: Double) -> String {
        rate < MeasuredRates.most ? Amount.rate(rate) : "bytes in no time"
    }

    private static func sequences(_ count: Int) -> String { "\(count) sequence\(count == 1 ? "" : "s")" }
}
