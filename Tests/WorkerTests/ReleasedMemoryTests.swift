import Checkpoint
import Cluster
import Foundation
import Kernels
import Synchronization
import TestSupport
import Testing
import Wire

/// Slots that were let go do not count as a worker's memory any more.
@Suite struct ReleasedMemoryTests {
    /// Bytes of files under a folder that stand in this process's memory.
    private func residentBytes(of folder: String) throws -> Int {
        var isBelow = false
        var kilobytes = 0
        let maps = try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/self/smaps")).readToEnd() ?? Data()
        for line in String(decoding: maps, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields[0].contains("-") {
                isBelow = line.contains(folder)
            } else if isBelow, fields[0] == "Rss:" {
                kilobytes += Int(fields[1]) ?? 0
            }
        }
        return kilobytes * 1024
    }

    @Test(
        "released slots give their memory back, whole experts and slices, loaded or just ordered",
        arguments: [1, 3], [nil, .bf16] as [HeldDType?])
    func givenBack(tensorParallelSize: Int, held: HeldDType?) throws {
        let model = try WideModel(experts: 8)
        defer { model.remove() }
        let (checkpoint, folder) = (model.checkpoint, model.folder)
        let slots = checkpoint.config.expertLayers.flatMap { layer in
            (0..<8).flatMap { expert in
                (0..<tensorParallelSize).map { Slot(layer: layer, expert: expert, rank: $0) }
            }
        }
        let scene = try WorkerScene(checkpoint, tensorParallelSize: tensorParallelSize, expertDType: held)
        _ = try scene.ready()
        let before = try residentBytes(of: folder)
        try scene.order(1, slots)
        let loaded = try scene.ready(order: 1).loadedBytes
        let full = try residentBytes(of: folder)
        #expect(full - before > loaded / 2)
        try scene.release(slots)
        try scene.order(2, slots)
        try scene.release(slots)
        _ = try scene.ready(order: 2)
        try scene.order(3, [])
        _ = try scene.ready(order: 3)
        let after = try residentBytes(of: folder)
        #expect(after - before < loaded / 20, "\(before), \(full), \(after) bytes before, with and after \(loaded)")
        #expect(scene.close())
    }

    @Test("a worker that ends gives back what it had not come to let go of")
    func givenBackAtTheEnd() throws {
        let model = try WideModel(experts: 8)
        defer { model.remove() }
        let (checkpoint, folder) = (model.checkpoint, model.folder)
        let all = checkpoint.config.expertLayers.flatMap { layer in
            (0..<8).map { Slot(layer: layer, expert: $0, rank: 0) }
        }
        let (kept, slots, late) = (all[0], Array(all[1..<all.count - 1]), all[all.count - 1])
        let asked = Mutex(false)
        let secret = ClusterSecret.random()
        let source = try ScriptedSource(secret) { _, _, _ in asked.withLock { $0 = true } }
        let scene = try WorkerScene(checkpoint, slots: [kept], secret: secret)
        _ = try scene.ready()
        let before = try residentBytes(of: folder)
        try scene.order(1, slots)
        let loaded = try scene.ready(order: 1).loadedBytes
        #expect(try residentBytes(of: folder) - before > loaded / 2)
        try scene.order(2, [late]) { $0.source = source.address }
        while !asked.withLock({ $0 }) { usleep(1000) }
        try scene.release(slots)
        // Frames are handled one after another: with the answer the release is known.
        try scene.dispatch(3, [kept], row: Array(repeating: 1, count: checkpoint.config.hiddenSize))
        _ = try scene.answer(3)
        #expect(scene.close())
        source.close()
        #expect(try residentBytes(of: folder) - before < loaded / 20)
    }
}
