import Checkpoint
import Experts
import Kernels
import Synchronization
import TestSupport
import Testing

@Suite struct GroupedFeedForwardTests {
    private let checkpoint: Checkpoint
    private let layer: Int
    private let hiddenSize: Int

    init() throws {
        checkpoint = try Checkpoint(folder: Fixture("tiny-r1-fp8").model)
        layer = checkpoint.config.expertLayers.lowerBound
        hiddenSize = checkpoint.config.hiddenSize
    }

    /// Says which items it was asked for.
    private final class Guest: FeedForwardLoops {
        let counts: [FeedForwardLoop: Int]
        let ran = Mutex<[FeedForwardLoop: [Int]]>([:])

        init(_ counts: [FeedForwardLoop: Int]) {
            self.counts = counts
        }

        func count(of loop: FeedForwardLoop) -> Int { counts[loop] ?? 0 }

        func run(_ items: Range<Int>, of loop: FeedForwardLoop) {
            ran.withLock { $0[loop, default: []] += items }
        }

        func prefetches(after loop: FeedForwardLoop) -> Prefetches? { nil }
    }

    private func shard(_ dtype: HeldDType?) throws -> ExpertShard {
        let layers = [layer]
        guard let dtype else { return try ExpertShard(allOf: checkpoint, layers: layers) }
        return try ExpertShard(allOf: checkpoint, layers: layers, as: dtype, team: ThreadTeam(threads: 2))
    }

    /// [pairs, hidden size] of bytes.
    private func answers(
        _ pairs: [GroupedFeedForward.Pair], _ shard: ExpertShard, _ rows: [Float], threads: Int, _ compute: Compute,
        _ exchange: ExchangeDType, beside guest: Guest? = nil
    ) -> [UInt8] {
        let count = rows.count / hiddenSize
        let processor = Processor(threads: threads, compute: compute)
        let forward = GroupedFeedForward(
            processor: processor, hiddenSize: hiddenSize, width: shard.maximumWidth, maximumRows: count,
            maximumPairs: pairs.count, exchange: exchange)
        let encoder = RowEncoder(
            processor: processor, hiddenSize: hiddenSize, maximumRows: count, exchange: exchange)
        let answers = AlignedBuffer<UInt8>(count: pairs.count * exchange.answerByteCount(hiddenSize))
        rows.withUnsafeBufferPointer { rows in
            guard let base = rows.baseAddress else { return }
            forward.run(
                pairs, of: shard, layer: layer, input: encoder.encode(base, count: count), rowCount: count,
                beside: guest, answers: answers.pointer)
        }
        return withExtendedLifetime(encoder) {
            Array(UnsafeBufferPointer(start: answers.pointer, count: answers.count))
        }
    }

    private func rows(_ count: Int) -> [Float] {
        var generator = SplitMix(seed: 5)
        return (0..<count * hiddenSize).map { _ in Float.random(in: -2...2, using: &generator) }
    }

    @Test(
        "an answer does not depend on its company, be it none, a few or hundreds of rows of its expert",
        arguments: [(Compute.f32, ExchangeDType.f32), (.fast, .bf16), (.fast, .fp8)], [nil, HeldDType.int8])
    func company(arithmetic: (Compute, ExchangeDType), dtype: HeldDType?) throws {
        let (compute, exchange) = arithmetic
        let shard = try shard(dtype)
        let rows = rows(301)
        // Expert 0 has every row, out of order, expert 1 has three, expert 2 one.
        let pairs =
            (0..<301).map { GroupedFeedForward.Pair(row: $0 * 7 % 301, slice: 0) }
            + [.init(row: 300, slice: 1), .init(row: 2, slice: 2), .init(row: 5, slice: 1), .init(row: 6, slice: 1)]
        let all = answers(pairs, shard, rows, threads: 3, compute, exchange)
        let size = exchange.answerByteCount(hiddenSize)
        for index in [0, 1, 127, 128, 129, 150, 299, 300, 301, 302, 303, 304] {
            let pair = pairs[index]
            let row = Array(rows[pair.row * hiddenSize..<(pair.row + 1) * hiddenSize])
            let alone = answers([.init(row: 0, slice: pair.slice)], shard, row, threads: 1, compute, exchange)
            #expect(Array(all[index * size..<(index + 1) * size]) == alone, "pair \(index)")
        }
    }

    @Test("a guest's items run once each, and the answers are as without it", arguments: [1, 4])
    func guest(threads: Int) throws {
        let shard = try shard(nil)
        let rows = rows(3)
        let pairs = (0..<12).map { GroupedFeedForward.Pair(row: $0 % 3, slice: $0 % 5) }
        let guest = Guest([.gateAndUp: 9, .down: 40])
        let with = answers(pairs, shard, rows, threads: threads, .fast, .bf16, beside: guest)
        #expect(with == answers(pairs, shard, rows, threads: threads, .fast, .bf16))
        guest.ran.withLock { ran in
            #expect(ran[.gateAndUp]?.sorted() == Array(0..<9))
            #expect(ran[.encode] == nil)
            #expect(ran[.down]?.sorted() == Array(0..<40))
        }
    }
}
