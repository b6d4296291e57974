internal import Experts
internal import Kernels
internal import Wire

/// The answers of one flight as they come in, each at its own place, whoever sends it and whenever it comes.
final class Answers {
    private let buffer: AlignedBuffer<UInt8>
    private let shape: RowShape
    /// By worker: the places of its pairs; empty when nothing is due from it.
    private var places: [[Int32]]
    private(set) var pendingCount = 0

    /// - Parameter maximumAnswers: tokens * slots * ranks of the largest flight.
    init(workerCount: Int, maximumAnswers: Int, shape: RowShape) {
        buffer = AlignedBuffer(count: maximumAnswers * shape.byteCount)
        places = Array(repeating: [], count: workerCount)
        self.shape = shape
    }

    /// [tokens, slots, ranks, hidden size] values of the shape's dtype.
    var values: UnsafeRawPointer { UnsafeRawPointer(buffer.pointer) }

    var pendingWorkers: [Int] { places.indices.filter { !places[$0].isEmpty } }

    func expect(_ expected: [Int32], from worker: Int) {
        precondition(places[worker].isEmpty, "a worker is asked once for each flight")
        places[worker].append(contentsOf: expected)
        pendingCount += 1
    }

    /// Takes in one worker's answers.
    /// - Throws: `BodyError` when they are not what was asked for.
    func accept(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer, from worker: Int) throws(BodyError) {
        let body = try CombineBody(
            header: header, payload: payload, shape: shape, expectedPairs: places[worker].count)
        guard !places[worker].isEmpty else { return }
        for (pair, place) in places[worker].enumerated() {
            (UnsafeMutableRawPointer(buffer.pointer) + Int(place) * shape.byteCount).copyMemory(
                from: body.answer(pair), byteCount: shape.byteCount)
        }
        places[worker].removeAll(keepingCapacity: true)
        pendingCount -= 1
    }

    func forget() {
        for worker in places.indices { places[worker].removeAll(keepingCapacity: true) }
        pendingCount = 0
    }
}
