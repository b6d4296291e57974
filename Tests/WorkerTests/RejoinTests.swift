import Checkpoint
import Cluster
import Foundation
import TestSupport
import Testing
import Wire
import Worker

/// A worker that loses its coordinator, and what it does then.
@Suite struct RejoinTests {
    private let checkpoint: Checkpoint
    private let slot: Slot

    init() throws {
        checkpoint = try Checkpoint(folder: Fixture("v2-lite").model)
        slot = Slot(layer: checkpoint.config.denseLayerCount, expert: 0, rank: 0)
    }

    @Test("a worker whose link is lost joins again by itself, with nothing, and serves")
    func lost() throws {
        let scene = try WorkerScene(checkpoint)
        _ = try scene.ready()
        for _ in 0..<3 {
            try scene.order(1, [slot])
            #expect(try scene.ready(order: 1).expertSlots == 1)
            let row = [Float](repeating: 0.5, count: checkpoint.config.hiddenSize)
            try scene.dispatch(2, [slot], row: row)
            #expect(try !scene.answer(2).isEmpty)
            scene.cut()
            let lost = ContinuousClock.now
            try scene.admit()
            #expect(try scene.ready().expertSlots == 0)
            #expect(ContinuousClock.now - lost < .seconds(2))
        }
        #expect(scene.close())
    }

    @Test("it tries again while its place is still held for the link that was lost")
    func refused() throws {
        let scene = try WorkerScene(checkpoint)
        _ = try scene.ready()
        for _ in 0..<3 {
            scene.cut()
            try scene.admit(refusal: FailureReport(message: "a worker of this name is connected already", status: 64))
        }
        scene.cut()
        try scene.admit()
        _ = try scene.ready()
        #expect(scene.close())
    }

    @Test("at first a refusal ends it")
    func refusedAtFirst() throws {
        let scene = try WorkerScene(checkpoint, refusal: FailureReport(message: "no", status: 64))
        #expect(scene.ends())
    }

    @Test("a coordinator that does not come back is not waited for beyond the limit")
    func gone() throws {
        let scene = try WorkerScene(checkpoint, patience: .milliseconds(600))
        _ = try scene.ready()
        try scene.stopListening()
        scene.cut()
        #expect(!scene.ends(within: 0.3))
        #expect(scene.ends())
    }

    @Test("one that is lost whenever it is joined is dialled ever more rarely, and not beyond the limit")
    func lostAgain() throws {
        let scene = try WorkerScene(checkpoint, patience: .seconds(1))
        _ = try scene.ready()
        var joins = 0
        while joins < 100 {
            scene.cut()
            guard (try? scene.admit(within: .seconds(2))) != nil else { break }
            joins += 1
        }
        #expect(1..<10 ~= joins)
        #expect(scene.ends())
    }

    @Test("one that may not rejoin ends with its link")
    func never() throws {
        let scene = try WorkerScene(checkpoint, rejoins: .never)
        _ = try scene.ready()
        scene.cut()
        #expect(scene.ends())
    }

    @Test("a goodbye ends a worker, unless it waits for the next coordinator; a dismissal ends both")
    func goodbye() throws {
        let scene = try WorkerScene(checkpoint)
        _ = try scene.ready()
        try scene.send(.goodbye(Goodbye(reason: "done")))
        #expect(scene.ends())
        let faithful = try WorkerScene(checkpoint, rejoins: .always)
        _ = try faithful.ready()
        try faithful.send(.goodbye(Goodbye(reason: "done")))
        faithful.cut()
        try faithful.admit()
        _ = try faithful.ready()
        try faithful.send(.goodbye(Goodbye(reason: "drained", isFinal: true)))
        #expect(faithful.ends())
    }

    @Test(
        "a checkpoint that is replaced before a worker joins again is opened anew, after a goodbye and after a loss",
        arguments: [true, false])
    func replacedCheckpoint(leaves: Bool) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("model-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.copyItem(atPath: Fixture("v2-lite").model, toPath: folder)
        let scene = try WorkerScene(try Checkpoint(folder: folder), slots: [slot], rejoins: .always)
        #expect(try scene.ready().expertSlots == 1)
        try FileManager.default.removeItem(atPath: folder)
        try FileManager.default.copyItem(atPath: Fixture("fp8-odd").model, toPath: folder)
        let other = try Checkpoint(folder: folder)
        let slots = [Slot(layer: other.config.denseLayerCount, expert: 0, rank: 0)]
        scene.assignment = try WorkerScene.assignment(of: other, modelPath: folder, slots: slots)
        if leaves { try scene.send(.goodbye(Goodbye(reason: "done"))) }
        scene.cut()
        try scene.admit()
        #expect(try scene.ready().expertSlots == 1)
        #expect(scene.close())
    }
}
