internal import Experts
internal import Kernels
internal import Transport
internal import Wire

/// One flight: what was asked, and the answers as they come in, each at its own place, whoever sends it and whenever it
/// comes. An answer stays where the link has it, if it can, and is copied otherwise.
final class Answers {
    private let processor: Processor
    private let buffer: AlignedBuffer<UInt8>
    private let shape: RowShape
    /// By place: where the answer is that has come.
    private let found: AlignedBuffer<UnsafeRawPointer>
    /// For each payload that stays where it is, the link that has it.
    private var keepers: [any Link] = []
    /// The flight that this record serves now.
    private(set) var question: Question?
    /// By place: whether its answer has come.
    private var hasCome: [Bool]
    /// Answers that have not come yet.
    private(set) var dueCount = 0
    /// When the latest answer came.
    private(set) var lastAnswer: Instant?

    /// What a flight asks; the hidden vectors stay where they are until the flight is combined.
    struct Question {
        /// [routing.tokens, hidden size] f32
        let hidden: UnsafePointer<Float>
        let routing: Routing
        let layer: Int
        /// The version of the placement that it began in.
        let epoch: UInt32
        let start: Instant
    }

    /// - Parameter maximumAnswers: tokens * slots * ranks of the largest flight.
    init(processor: Processor, maximumAnswers: Int, shape: RowShape) {
        self.processor = processor
        buffer = AlignedBuffer(count: maximumAnswers * shape.answerByteCount)
        found = AlignedBuffer(count: maximumAnswers)
        hasCome = Array(repeating: false, count: maximumAnswers)
        self.shape = shape
    }

    /// [tokens, slots, ranks] where each answer is, once all have come: [hidden size] of the dtype of answers.
    var values: UnsafePointer<UnsafeRawPointer> { UnsafePointer(found.pointer) }

    func begin(_ question: Question, answers: Int) {
        self.question = question
        dueCount = answers
        lastAnswer = nil
        for place in 0..<answers { hasCome[place] = false }
    }

    func end() {
        question = nil
        for link in keepers { link.releasePayload() }
        keepers.removeAll(keepingCapacity: true)
    }

    func isDue(_ place: Int32) -> Bool { !hasCome[Int(place)] }

    /// Takes in one worker's answers, one for each place, inside the link's handler; where another worker was first
    /// nothing changes.
    /// - Throws: `BodyError` when they are not what was asked for.
    func accept(
        _ header: FrameHeader, _ payload: UnsafeRawBufferPointer, from link: any Link, at places: [Int32], now: Instant
    ) throws(BodyError) {
        let body = try CombineBody(header: header, payload: payload, shape: shape, expectedPairs: places.count)
        if link.keepPayload() {
            keepers.append(link)
            for (pair, place) in places.enumerated() where isDue(place) {
                found.pointer[Int(place)] = body.answer(pair)
            }
        } else {
            copy(body, at: places)
        }
        for place in places where isDue(place) {
            hasCome[Int(place)] = true
            dueCount -= 1
        }
        lastAnswer = now
    }

    /// Copies the answers that are due, in parallel if they are many: a long prompt's are megabytes from each worker,
    /// and nobody else has anything to do meanwhile.
    private func copy(_ body: CombineBody, at places: [Int32]) {
        let size = shape.answerByteCount
        let values = UnsafeMutableRawPointer(buffer.pointer)
        processor.forEachBlock(of: places.count, columns: size / 2) { block in
            for pair in block where isDue(places[pair]) {
                let copy = values + Int(places[pair]) * size
                copy.copyMemory(from: body.answer(pair), byteCount: size)
                found.pointer[Int(places[pair])] = UnsafeRawPointer(copy)
            }
        }
    }
}
