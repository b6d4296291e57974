internal import Experts
internal import Kernels
internal import Wire

/// One flight: what was asked, and the answers as they come in, each at its own place, whoever sends it and whenever it
/// comes.
final class Answers {
    private let buffer: AlignedBuffer<UInt8>
    private let shape: RowShape
    /// The flight that this record serves now.
    private(set) var question: Question?
    /// Answers that have not come yet.
    private(set) var dueCount = 0

    /// What a flight asks; the hidden vectors stay where they are until the flight is combined.
    struct Question {
        /// [routing.tokens, hidden size] f32
        let hidden: UnsafePointer<Float>
        let routing: Routing
        let layer: Int
    }

    /// - Parameter maximumAnswers: tokens * slots * ranks of the largest flight.
    init(maximumAnswers: Int, shape: RowShape) {
        buffer = AlignedBuffer(count: maximumAnswers * shape.byteCount)
        self.shape = shape
    }

    /// [tokens, slots, ranks, hidden size] values of the shape's dtype.
    var values: UnsafeRawPointer { UnsafeRawPointer(buffer.pointer) }

    func begin(_ question: Question, answers: Int) {
        self.question = question
        dueCount = answers
    }

    func end() { question = nil }

    /// Takes in one worker's answers, one for each place.
    /// - Throws: `BodyError` when they are not what was asked for.
    func accept(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer, at places: [Int32]) throws(BodyError) {
        let body = try CombineBody(header: header, payload: payload, shape: shape, expectedPairs: places.count)
        for (pair, place) in places.enumerated() {
            (UnsafeMutableRawPointer(buffer.pointer) + Int(place) * shape.byteCount).copyMemory(
                from: body.answer(pair), byteCount: shape.byteCount)
        }
        dueCount -= places.count
    }
}

/// One dispatch frame under way: its answers' places in a flight, and the worker that owes them.
struct Parcel {
    let answers: Answers
    let worker: Int
    let places: [Int32]
    let sent: Instant
}
