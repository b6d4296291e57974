import Cluster
import Testing

@Suite struct RebalanceTests {
    static let slots = (0..<2).map { Slot(layer: 0, expert: $0, rank: 0) }

    /// Worker 0 holds expert 0, worker 1 expert 1.
    static func rebalance(bytesPerSecond: Double? = nil) -> Rebalance {
        var holdings = Holdings(layers: [0], experts: 2, tensor: 1)
        holdings.add(slots[0], to: 0)
        holdings.add(slots[1], to: 1)
        return Rebalance(holdings: holdings, epoch: 7, throttle: FillThrottle(bytesPerSecond: bytesPerSecond))
    }

    /// Expert 0 moves from worker 0 to worker 2, and expert 1 gets a replica there.
    static func way() throws -> Rearrangement {
        let input = try PolicyInput(
            holdings: rebalance().holdings, stages: [Stage(index: 0, layers: [0], workers: 0..<3)],
            workers: [
                WorkerCapacity(index: 0, slots: 2, takesSlots: false),
                WorkerCapacity(index: 1, slots: 2, takesSlots: false),
                WorkerCapacity(index: 2, slots: 2),
            ], loads: .none(layers: [0], experts: 2), sliceBytes: [1000])
        return CohortPolicy(redundantExperts: 0).drain(0, input)
    }

    @Test("a request is planned, filled, switched between two steps, and freed when the old flights have ended")
    func life() throws {
        var rebalance = Self.rebalance()
        #expect(rebalance.handle(.requested(.drain(0)), at: .zero) == [.plan(revision: 1, .drain(0))])
        let fill = PlacementChange.Fill(slot: Self.slots[0], worker: 2, source: .checkpoint, byteCount: 1000)
        let free = PlacementChange.Free(slot: Self.slots[0], worker: 0)
        #expect(try rebalance.handle(.planned(revision: 1, Self.way()), at: .zero) == [.fill(0, fill)])
        #expect(rebalance.handle(.stepEnded, at: .zero) == [])
        #expect(rebalance.handle(.filled(0), at: .zero) == [])
        #expect(rebalance.holdings.holders(of: Self.slots[0]) == [0])
        #expect(rebalance.handle(.stepEnded, at: .zero) == [.publish(epoch: 8)])
        #expect(rebalance.holdings.holders(of: Self.slots[0]) == [2])
        #expect(rebalance.handle(.flightsEnded(before: 7), at: .zero) == [])
        #expect(rebalance.status.phase == "draining" && rebalance.status.doneBytes == 1000)
        #expect(
            rebalance.handle(.flightsEnded(before: 8), at: .zero) == [.free(free), .finished(.drain(0), .done)])
        #expect(rebalance.phase == .idle)
    }

    @Test("a second request while one runs is answered with its state, others wait their turn")
    func queue() throws {
        var rebalance = Self.rebalance()
        _ = rebalance.handle(.requested(.drain(0)), at: .zero)
        let answer = rebalance.handle(.requested(.drain(0)), at: .zero)
        #expect(answer == [.answer(rebalance.status)] && rebalance.status.phase == "planning")
        #expect(rebalance.handle(.requested(.rebalance), at: .zero) == [])
        #expect(rebalance.handle(.requested(.rebalance), at: .zero) == [.answer(rebalance.status)])
        #expect(rebalance.queue == [.rebalance])
    }

    @Test("a fill that fails leaves the old placement standing and drops what was filled, once no source is left")
    func failure() throws {
        var rebalance = Self.rebalance()
        _ = rebalance.handle(.requested(.drain(0)), at: .zero)
        _ = try rebalance.handle(.planned(revision: 1, Self.way()), at: .zero)
        let before = rebalance.holdings
        let again = rebalance.handle(.fillFailed(0, reason: "no such file"), at: .zero)
        let fill = PlacementChange.Fill(slot: Self.slots[0], worker: 2, source: .worker(0), byteCount: 1000)
        #expect(again == [.fill(1, fill)])
        let actions = rebalance.handle(.fillFailed(1, reason: "disk error"), at: .zero)
        let reason = "worker 2 cannot fill slice 0 of expert 0 of layer 0: disk error"
        #expect(actions == [.finished(.drain(0), .failed(reason: reason))])
        #expect(rebalance.phase == .failed(.drain(0), reason: reason))
        #expect(rebalance.holdings == before && rebalance.epoch == 7)
    }

    @Test("a fill that a worker does not get done is given up after a limit: from the next source, then as a whole")
    func overdue() throws {
        var rebalance = Self.rebalance()
        _ = rebalance.handle(.requested(.drain(0)), at: .zero)
        _ = try rebalance.handle(.planned(revision: 1, Self.way()), at: .zero)
        let before = rebalance.holdings
        let limit = try #require(rebalance.wake)
        #expect(limit > .seconds(60) && limit < .seconds(61))
        #expect(rebalance.handle(.tick, at: limit - .milliseconds(1)) == [])
        let free = PlacementChange.Free(slot: Self.slots[0], worker: 2)
        let again = PlacementChange.Fill(slot: Self.slots[0], worker: 2, source: .worker(0), byteCount: 1000)
        #expect(rebalance.handle(.tick, at: limit) == [.free(free), .fill(1, again)])
        #expect(rebalance.wake == limit + limit)
        #expect(rebalance.handle(.filled(0), at: limit) == [])
        let reason = "worker 2 cannot fill slice 0 of expert 0 of layer 0: it was not done within 60 s"
        #expect(
            rebalance.handle(.tick, at: limit + limit)
                == [.free(free), .finished(.drain(0), .failed(reason: reason))])
        #expect(rebalance.holdings == before && rebalance.epoch == 7)
    }

    @Test("a worker lost while slots are filled: what it alone held is kept where it was just filled")
    func lossWhileFilling() throws {
        var rebalance = Self.rebalance()
        _ = rebalance.handle(.requested(.drain(0)), at: .zero)
        _ = try rebalance.handle(.planned(revision: 1, Self.way()), at: .zero)
        _ = rebalance.handle(.filled(0), at: .zero)
        let actions = rebalance.handle(.lost(worker: 0), at: .zero)
        #expect(rebalance.holdings.holders(of: Self.slots[0]) == [2])
        #expect(actions.contains(.publish(epoch: 8)) && rebalance.holdings.isWhole)
    }

    @Test("a worker lost after the switch: the old copy that was to be freed is taken back")
    func lossWhileDraining() throws {
        var rebalance = Self.rebalance()
        _ = rebalance.handle(.requested(.drain(0)), at: .zero)
        _ = try rebalance.handle(.planned(revision: 1, Self.way()), at: .zero)
        _ = rebalance.handle(.filled(0), at: .zero)
        _ = rebalance.handle(.stepEnded, at: .zero)
        let actions = rebalance.handle(.lost(worker: 2), at: .zero)
        #expect(rebalance.holdings.holders(of: Self.slots[0]) == [0] && rebalance.leaving.isEmpty)
        #expect(actions.contains(.publish(epoch: 9)))
        #expect(rebalance.handle(.flightsEnded(before: 9), at: .zero) == [])
    }

    @Test("what nobody holds is reported and mended at once, not between two steps")
    func repair() throws {
        var rebalance = Self.rebalance(bytesPerSecond: 1)
        let lost = rebalance.handle(.lost(worker: 1), at: .zero)
        #expect(lost == [.publish(epoch: 8), .missing([Self.slots[1]]), .plan(revision: 1, .repair)])
        let input = try PolicyInput(
            holdings: rebalance.holdings, stages: [Stage(index: 0, layers: [0], workers: 0..<2)],
            workers: [WorkerCapacity(index: 0, slots: 2)], loads: .none(layers: [0], experts: 2), sliceBytes: [1000])
        let way = CohortPolicy().repair(input)
        let fills = rebalance.handle(.planned(revision: 1, way), at: .zero)
        #expect(fills.count == 1)
        let done = rebalance.handle(.filled(0), at: .zero)
        #expect(done.first == .publish(epoch: 9) && rebalance.holdings.isWhole)
    }

    @Test("fills keep to the bandwidth")
    func throttle() throws {
        var holdings = Holdings(layers: [0], experts: 8, tensor: 1)
        for expert in 0..<8 { holdings.add(Slot(layer: 0, expert: expert, rank: 0), to: 0) }
        let input = try PolicyInput(
            holdings: holdings, stages: [Stage(index: 0, layers: [0], workers: 0..<2)],
            workers: [WorkerCapacity(index: 0, slots: 8), WorkerCapacity(index: 1, slots: 8)],
            loads: .none(layers: [0], experts: 8), sliceBytes: [500])
        var rebalance = Rebalance(
            holdings: holdings, epoch: 1, throttle: FillThrottle(bytesPerSecond: 1000, maximumPerWorker: 99))
        _ = rebalance.handle(.requested(.admit(1)), at: .zero)
        var started = rebalance.handle(
            .planned(revision: 1, CohortPolicy(redundantExperts: 0).admit(1, input)), at: .zero
        ).count
        #expect(started == 1 && rebalance.wake == .milliseconds(500))
        for milliseconds in stride(from: 100, through: 1400, by: 100) {
            started += rebalance.handle(.tick, at: .milliseconds(milliseconds)).count
            #expect(started == 1 + milliseconds / 500)
        }
    }
}
