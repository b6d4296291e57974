internal import Foundation

/// What one layer of a stage asks of its workers and of the links to them.
struct StageLoad {
    let stage: Stage
    /// [tensor][workers of the stage]: experts whose slice `rank` stands with the worker.
    let held: [[Int]]
    private let machines: [Machine]
    private let coordinator: Machine
    private let slices: ExpertSlices
    private let wire: WireCost
    private let experts: Int
    private let chosen: Int

    init(
        stage: Stage, table: SlotTable, input: PlanInput, slices: ExpertSlices, wire: WireCost, chosen: Int
    ) {
        var held = Array(repeating: Array(repeating: 0, count: stage.workers.count), count: table.tensor)
        for (row, worker) in table.primary.enumerated() {
            held[row % table.tensor][Int(worker) - stage.workers.lowerBound] += 1
        }
        self.stage = stage
        self.held = held
        machines = Array(input.workers[stage.workers])
        coordinator = input.coordinator
        self.slices = slices
        self.wire = wire
        self.chosen = chosen
        experts = table.rowCount / table.tensor
    }

    /// Slices of one layer that a worker of the stage holds; each is of another expert.
    func slots(_ worker: Int) -> Int { held.reduce(0) { $0 + $1[worker] } }

    /// Bytes of one layer's slices on a worker of the stage.
    func byteCount(_ worker: Int) -> Int {
        zip(held, slices.byteCounts).reduce(0) { $0 + $1.0[worker] * $1.1 }
    }

    /// The workers that one token's experts stand with, on average.
    var distinctWorkers: Double {
        machines.indices.reduce(0) { $0 + hitProbability($1) }
    }

    /// Bytes that a layer's experts read on all workers for a step of `tokens`.
    func touchedBytes(tokens: Double) -> Double {
        let bytes = machines.indices.reduce(0) { $0 + byteCount($1) }
        return touchedShare(tokens) * Double(bytes)
    }

    /// Bytes of one layer to a worker and back from it, for a step of `tokens`.
    func traffic(_ worker: Int, tokens: Double) -> Traffic {
        let hit = hitProbability(worker)
        let headers = (1 - pow(1 - hit, tokens)) * Double(wire.headerByteSize)
        let pairs = tokens * Double(chosen * slots(worker)) / Double(experts)
        return Traffic(
            out: tokens * hit * Double(wire.rowByteSize) + pairs * Double(wire.pairByteSize) + headers,
            back: pairs * Double(wire.answerByteSize) + headers)
    }

    /// Bytes of one layer through the coordinator's link.
    func traffic(tokens: Double) -> Traffic {
        machines.indices.reduce(Traffic(out: 0, back: 0)) { sum, worker in
            let own = traffic(worker, tokens: tokens)
            return Traffic(out: sum.out + own.out, back: sum.back + own.back)
        }
    }

    /// The least time in which one layer's rows reach the workers and the answers come back.
    func networkSeconds(tokens: Double) -> Double {
        let all = traffic(tokens: tokens)
        var (out, back) = (all.out / coordinator.linkBandwidth, all.back / coordinator.linkBandwidth)
        for (worker, machine) in machines.enumerated() {
            let own = traffic(worker, tokens: tokens)
            out = max(out, own.out / machine.linkBandwidth)
            back = max(back, own.back / machine.linkBandwidth)
        }
        return out + back + (machines.map(\.roundTripSeconds).max() ?? 0)
    }

    /// Whether the coordinator computes on the processors of the stage's workers.
    var sharesProcessors: Bool {
        coordinator.host != nil && machines.contains { $0.host == coordinator.host }
    }

    /// The least time in which the last worker has read the slices of one layer that a step of `tokens` touches: the
    /// expected slowest among the holders of each rank, and no less than any worker's mean.
    func workerSeconds(tokens: Double) -> Double {
        let drawn = touchedShare(tokens) * Double(experts)
        var slowest = machines.enumerated().reduce(0) { most, worker in
            max(most, touchedShare(tokens) * Double(byteCount(worker.offset)) / worker.element.memoryBandwidth)
        }
        for (rank, counts) in held.enumerated() where rank == 0 || counts != held[rank - 1] {
            let holders = counts.indices.filter { counts[$0] > 0 }
            slowest = max(
                slowest,
                ExpertDraw.expectedSlowest(
                    held: holders.map { counts[$0] },
                    secondsPerExpert: holders.map { Double(slices.byteCounts[rank]) / machines[$0].memoryBandwidth },
                    drawn: drawn))
        }
        return slowest + arithmeticSeconds(tokens: tokens)
    }

    /// What the multiply-adds of the worker that has most of them take beyond reading.
    private func arithmeticSeconds(tokens: Double) -> Double {
        let pairs = tokens * Double(chosen) / Double(experts)
        return machines.enumerated().reduce(0) { most, worker in
            let own = zip(held, slices.multiplyAdds).reduce(0) { $0 + $1.0[worker.offset] * $1.1 }
            return max(most, pairs * Double(own) / worker.element.multiplyAddsPerSecond)
        }
    }

    private func hitProbability(_ worker: Int) -> Double {
        ExpertDraw.hitProbability(held: slots(worker), experts: experts, chosen: chosen)
    }

    private func touchedShare(_ tokens: Double) -> Double {
        ExpertDraw.expectedDistinct(experts: experts, chosen: chosen, tokens: tokens) / Double(experts)
    }
}

/// Bytes to workers and back.
struct Traffic {
    var out: Double
    var back: Double
}
