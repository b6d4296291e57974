import Checkpoint
import Cluster
import Experts
import Foundation
import Kernels
import TestSupport
import Testing
import Wire

/// What a worker does with the orders that it gets while it serves.
@Suite struct OrderTests {
    private let checkpoint: Checkpoint
    private let slots: [Slot]
    private let row: [Float]

    init() throws {
        let checkpoint = try Checkpoint(folder: Fixture("v2-lite").model)
        self.checkpoint = checkpoint
        let layer = checkpoint.config.denseLayerCount
        slots = (0..<checkpoint.config.expertCount).map { Slot(layer: layer, expert: $0, rank: 0) }
        var generator = SplitMix(seed: 3)
        row = (0..<checkpoint.config.hiddenSize).map { _ in Float.random(in: -2...2, using: &generator) }
    }

    /// What the slots make of the row, computed here.
    private func expected(_ slots: [Slot]) throws -> [UInt8] {
        let config = checkpoint.config
        let forward = GroupedFeedForward(
            processor: Processor(threads: 1, compute: .f32), hiddenSize: config.hiddenSize,
            width: config.expertIntermediateSize, maximumRows: 1, maximumPairs: slots.count, exchange: .f32)
        let shard = try ExpertShard(allOf: checkpoint, layers: [slots[0].layer])
        let answers = AlignedBuffer<UInt8>(count: slots.count * config.hiddenSize * 4)
        row.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            forward.run(
                slots.map { .init(row: 0, slice: $0.expert) }, of: shard, layer: slots[0].layer, input: start,
                rowCount: 1, answers: answers.pointer)
        }
        return Array(UnsafeBufferPointer(start: answers.pointer, count: answers.count))
    }

    private func check(_ scene: WorkerScene, _ slots: [Slot], flight: UInt64 = 900) throws {
        try scene.dispatch(flight, slots, row: row)
        #expect(try scene.answer(flight) == expected(slots))
    }

    @Test("a worker joins with nothing, and serves what it is ordered to hold")
    func joinsEmpty() throws {
        let scene = try WorkerScene(checkpoint)
        let first = try scene.ready()
        #expect(first.expertSlots == 0 && first.loadedBytes == 0 && first.readsCheckpoint)
        try scene.order(7, Array(slots[2...4]))
        let report = try scene.ready(order: 7)
        #expect(report.expertSlots == 3 && report.loadedBytes > 0 && report.residentBytes > 0)
        try check(scene, [slots[3], slots[2]])
        #expect(scene.close())
    }

    @Test("orders are carried out one after another, in the order in which they came")
    func inOrder() throws {
        let scene = try WorkerScene(checkpoint, slots: [slots[0]])
        let expertBytes = try scene.ready().loadedBytes
        for number in 1..<slots.count { try scene.order(UInt64(number), [slots[number]]) }
        for number in 1..<slots.count {
            let report = try scene.ready(order: UInt64(number))
            #expect(report.expertSlots == number + 1 && report.loadedBytes == expertBytes * (number + 1))
        }
        #expect(scene.close())
    }

    @Test("an order that cannot be carried out is answered with a failure, and the worker serves on")
    func failure() throws {
        let scene = try WorkerScene(checkpoint, slots: [slots[0]])
        _ = try scene.ready()
        let config = checkpoint.config
        try scene.order(1, [Slot(layer: slots[0].layer, expert: config.expertCount, rank: 0)])
        try scene.order(2, [Slot(layer: slots[0].layer, expert: 0, rank: 1)])
        try scene.order(3, [Slot(layer: config.denseLayerCount - 1, expert: 0, rank: 0)])
        try scene.order(4, [slots[1]]) { $0.tensorParallelSize = 2 }
        try scene.order(5, [slots[1]]) { $0.modelFingerprint = [1] }
        for number in 1...5 as ClosedRange<UInt64> { #expect(try !scene.failure(order: number).isEmpty) }
        try scene.order(6, [slots[1]])
        #expect(try scene.ready(order: 6).expertSlots == 2)
        try check(scene, [slots[0], slots[1]])
        #expect(scene.close())
    }

    @Test("a slot that is released while its order waits or loads is dropped, and may be ordered again")
    func released() throws {
        let scene = try WorkerScene(checkpoint)
        _ = try scene.ready()
        let orders = 200 as UInt64
        for number in 1...orders {
            try scene.order(2 * number, slots)
            try scene.release(slots)
            try scene.order(2 * number + 1, [slots[Int(number) % slots.count]])
            if number < orders { try scene.release(slots) }
        }
        for number in 1...orders {
            // All of them, if they were there before the worker heard of the release.
            #expect(try scene.ready(order: 2 * number).expertSlots <= slots.count)
            #expect(try scene.ready(order: 2 * number + 1).expertSlots <= 1)
        }
        let last = slots[Int(orders) % slots.count]
        try check(scene, [last])
        try scene.release([last, slots[0]])
        try scene.order(1000, [slots[1], slots[2]])
        let report = try scene.ready(order: 1000)
        #expect(report.expertSlots == 2)
        try check(scene, [slots[1], slots[2]])
        #expect(scene.close())
    }

    @Test("a dispatch is answered while orders load")
    func served() throws {
        let scene = try WorkerScene(checkpoint, slots: [slots[5]])
        _ = try scene.ready()
        let others = slots.filter { $0 != slots[5] }
        let orders = 400 as UInt64
        for number in 1...orders {
            try scene.order(number, others)
            try scene.release(others)
        }
        try scene.dispatch(9999, [slots[5]], row: row)
        var before = 0
        var after = 0
        var answer: [UInt8]?
        while after + before < Int(orders) || answer == nil {
            switch try scene.next() {
            case .combine(9999, let bytes): answer = bytes
            case .control(.ready, _): if answer == nil { before += 1 } else { after += 1 }
            case let other: Issue.record("\(other)")
            }
        }
        #expect(try answer == expected([slots[5]]))
        #expect(after > 0, "all \(before) orders were done before the answer")
        #expect(scene.close())
    }

    @Test("a worker whose experts are cut fills and lets go of slices")
    func slices() throws {
        let scene = try WorkerScene(checkpoint, tensorParallelSize: 2)
        _ = try scene.ready()
        let layer = slots[0].layer
        try scene.order(1, [Slot(layer: layer, expert: 0, rank: 0), Slot(layer: layer, expert: 0, rank: 1)])
        let both = try scene.ready(order: 1)
        try scene.release([Slot(layer: layer, expert: 0, rank: 0)])
        try scene.order(2, [])
        let one = try scene.ready(order: 2)
        #expect(both.expertSlots == 2 && one.expertSlots == 1 && one.loadedBytes < both.loadedBytes)
        #expect(scene.close())
    }
}
