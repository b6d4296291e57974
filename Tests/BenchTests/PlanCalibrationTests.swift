import Bench
import Checkpoint
import Cluster
import TestSupport
import Testing

@Suite struct PlanCalibrationTests {
    private static func calibration() throws -> PlanCalibration {
        let config = try ModelConfig(folder: Fixture("tiny-r1-fp8").model)
        let row = 2 * config.hiddenSize
        return PlanCalibration(
            config: config, held: HeldDTypes(),
            wire: WireCost(rowByteSize: row, answerByteSize: row, pairByteSize: 8, headerByteSize: 48),
            workers: 4, positions: 100)
    }

    /// What a machine with these rates would show, its steps `factor` times as long as the plan says.
    private static func measurement(
        _ calibration: PlanCalibration, batch: Int, _ rates: MeasuredRates, factor: Double = 1
    ) throws -> PlanCalibration.Measurement {
        let truth = try calibration.prediction(batch: batch, rates)
        return .init(
            batch: batch, coordinatorSeconds: truth.coordinatorSeconds, workerSeconds: truth.workerSeconds,
            waySeconds: truth.networkSeconds, stepSeconds: truth.stepSeconds * factor)
    }

    private static let rates = MeasuredRates(
        coordinator: .init(memoryBandwidth: 44e9, multiplyAddsPerSecond: 267e9),
        worker: .init(memoryBandwidth: 11e9, multiplyAddsPerSecond: 35e9), roundTripSeconds: 80e-6,
        linkBandwidth: 5.5e9)

    @Test("phases that were made of rates give the rates back")
    func rates() throws {
        let calibration = try Self.calibration()
        let found = try calibration.rates(
            Self.measurement(calibration, batch: 1, Self.rates), Self.measurement(calibration, batch: 16, Self.rates))
        for (value, expected) in [
            (found.coordinator.memoryBandwidth, 44e9), (found.coordinator.multiplyAddsPerSecond, 267e9),
            (found.worker.memoryBandwidth, 11e9), (found.worker.multiplyAddsPerSecond, 35e9),
            (found.roundTripSeconds, 80e-6), (found.linkBandwidth, 5.5e9),
        ] {
            #expect(abs(value / expected - 1) < 1e-6, "\(value) for \(expected)")
        }
    }

    @Test("the report tells what was fitted from what was predicted, and how far that is off")
    func report() throws {
        let calibration = try Self.calibration()
        let measurements = try [1, 4, 16].map {
            try Self.measurement(calibration, batch: $0, Self.rates, factor: 0.8)
        }
        let report = try PredictionReport(
            model: "m", workers: 4, threads: 4, wire: "bf16", positions: 100, rates: Self.rates, layers: [],
            measurements: measurements, calibration: calibration)
        #expect(report.lines.count == 12)
        for line in report.lines {
            #expect(abs(line.ratio - (line.phase == .step ? 1.25 : 1)) < 1e-9)
            #expect(line.isFitted == (line.batch != 4 && line.phase != .step))
        }
    }
}
