package import Checkpoint
package import Cluster

/// From measured phases to the rates with which a plan predicts them. The plan's own estimate says of how many bytes,
/// multiply-adds and round trips each phase is made: it is asked with one rate at 1 and the others without bound.
package struct PlanCalibration {
    /// The phases of one batch size's step, all layers together.
    package struct Measurement {
        package let batch: Int
        package let coordinatorSeconds: Double
        /// Of the slowest worker of each layer.
        package let workerSeconds: Double
        package let waySeconds: Double
        package let stepSeconds: Double

        package init(
            batch: Int, coordinatorSeconds: Double, workerSeconds: Double, waySeconds: Double, stepSeconds: Double
        ) {
            self.batch = batch
            self.coordinatorSeconds = coordinatorSeconds
            self.workerSeconds = workerSeconds
            self.waySeconds = waySeconds
            self.stepSeconds = stepSeconds
        }
    }

    private let config: ModelConfig
    private let held: HeldDTypes
    private let wire: WireCost
    private let workers: Int
    private let positions: Int

    /// - Parameters:
    ///   - held: what matrices are held as.
    ///   - workers: on the coordinator's own machine.
    ///   - positions: of each sequence in the cache.
    package init(config: ModelConfig, held: HeldDTypes, wire: WireCost, workers: Int, positions: Int) {
        self.config = config
        self.held = held
        self.wire = wire
        self.workers = workers
        self.positions = positions
    }

    /// What a plan with these rates says of a batch.
    package func prediction(batch: Int, _ rates: MeasuredRates) throws(PlanError) -> PlanReport.Ceiling {
        let options = PlanInput.Options(
            expert: workers, concurrency: batch, context: positions, host: "this machine", rates: rates)
        let report = try Plan(config: config, input: PlanInput(options: options), held: held, wire: wire).report
        guard let ceiling = report.ceilings.last else { preconditionFailure("a plan has a ceiling") }
        return ceiling
    }

    /// The rates that give both measurements' phases; the steps are not looked at.
    /// - Parameter memoryBandwidth: bytes per second that all cores together read. No process reads more, but for
    ///   weights that stay in caches.
    package func rates(
        _ small: Measurement, _ large: Measurement, memoryBandwidth: Double
    ) throws(PlanError) -> MeasuredRates {
        let leastFirst = 1 / memoryBandwidth
        let coordinator = try fit(
            small, large, \.coordinatorSeconds, \.coordinatorSeconds, leastFirst: leastFirst)
        let worker = try fit(small, large, \.workerSeconds, \.workerSeconds, leastFirst: leastFirst)
        let way = try fit(small, large, \.waySeconds, \.networkSeconds)
        return MeasuredRates(
            coordinator: .init(
                memoryBandwidth: Self.rate(coordinator.firstSeconds),
                multiplyAddsPerSecond: Self.rate(coordinator.secondSeconds)),
            worker: .init(
                memoryBandwidth: Self.rate(worker.firstSeconds),
                multiplyAddsPerSecond: Self.rate(worker.secondSeconds)),
            roundTripSeconds: way.secondSeconds, linkBandwidth: Self.rate(way.firstSeconds))
    }

    private func fit(
        _ small: Measurement, _ large: Measurement, _ measured: (Measurement) -> Double,
        _ predicted: (PlanReport.Ceiling) -> Double, leastFirst: Double = 0
    ) throws(PlanError) -> RateFit {
        func point(_ measurement: Measurement) throws(PlanError) -> RateFit.Point {
            RateFit.Point(
                first: predicted(try prediction(batch: measurement.batch, Self.bytesAlone)),
                second: predicted(try prediction(batch: measurement.batch, Self.otherAlone)),
                seconds: max(0, measured(measurement)))
        }
        return RateFit(try point(small), try point(large), leastFirst: leastFirst)
    }

    private static func rate(_ secondsPerUnit: Double) -> Double { min(1 / secondsPerUnit, MeasuredRates.most) }

    /// A byte takes a second, all else no time.
    private static let bytesAlone = rates(bytes: 1, multiplyAdds: MeasuredRates.most, roundTrip: 0)
    /// A multiply-add and a round trip take a second each, all else no time.
    private static let otherAlone = rates(bytes: MeasuredRates.most, multiplyAdds: 1, roundTrip: 1)

    private static func rates(bytes: Double, multiplyAdds: Double, roundTrip: Double) -> MeasuredRates {
        let rates = MeasuredRates.Rates(memoryBandwidth: bytes, multiplyAddsPerSecond: multiplyAdds)
        return MeasuredRates(coordinator: rates, worker: rates, roundTripSeconds: roundTrip, linkBandwidth: bytes)
    }
}
