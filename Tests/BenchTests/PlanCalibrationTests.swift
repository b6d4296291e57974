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
            Self.measurement(calibration, batch: 1, Self.rates), Self.measurement(calibration, batch: 16, Self.rates),
            memoryBandwidth: 50e9)
        for (value, expected) in [
            (found.coordinator.memoryBandwidth, 44e9), (found.coordinator.multiplyAddsPerSecond, 267e9),
            (found.worker.memoryBandwidth, 11e9), (found.worker.multiplyAddsPerSecond, 35e9),
            (found.roundTripSeconds, 80e-6), (found.linkBandwidth, 5.5e9),
        ] {
            #expect(abs(value / expected - 1) < 1e-6, "\(value) for \(expected)")
        }
    }

    @Test("where phases alone would give a rate that no memory has, it is the memory's")
    func bound() throws {
        let calibration = try Self.calibration()
        let small = try Self.measurement(calibration, batch: 1, Self.rates)
        let large = try calibration.prediction(batch: 16, Self.rates)
        let found = try calibration.rates(
            small,
            .init(
                batch: 16, coordinatorSeconds: large.coordinatorSeconds, workerSeconds: 100 * large.workerSeconds,
                waySeconds: large.networkSeconds, stepSeconds: large.stepSeconds),
            memoryBandwidth: 50e9)
        #expect(abs(found.worker.memoryBandwidth / 50e9 - 1) < 1e-6)
        #expect(found.worker.multiplyAddsPerSecond < 35e9)
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
