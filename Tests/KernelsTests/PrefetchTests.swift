import Foundation
import Kernels
import Synchronization
import Testing

@Suite struct PrefetchTests {
    private static func pieces(_ bytes: Int) -> Int { (bytes + PrefetchBoard.piece - 1) / PrefetchBoard.piece }

    private static func fetched(_ board: PrefetchBoard, _ progress: inout PrefetchBoard.Progress) -> Int {
        var count = 0
        while board.fetchSome(for: 1, &progress) { count += 1 }
        return count
    }

    @Test("a thread fetches all that is posted, once, and what is posted anew")
    func fetchesOnce() {
        let memory = AlignedBuffer<UInt8>(count: 1 << 16)
        let (board, short, long) = (
            PrefetchBoard(), Prefetch(memory.pointer, stride: 1 << 12, byteCount: 1),
            Prefetch(memory.pointer, stride: 1 << 14, byteCount: 5000)
        )
        var progress = PrefetchBoard.Progress()
        withExtendedLifetime(memory) {
            #expect(Self.fetched(board, &progress) == 0)
            board.post(Prefetches(long, then: short))
            #expect(Self.fetched(board, &progress) == Self.pieces(5000) + 1)
            #expect(Self.fetched(board, &progress) == 0)
            board.post(Prefetches(short))
            #expect(Self.fetched(board, &progress) == 1)
            board.post(nil)
            #expect(Self.fetched(board, &progress) == 0)
        }
    }

    @Test("addresses that nobody has are no error")
    func fetchesNothing() throws {
        let board = PrefetchBoard()
        let nowhere = try #require(UnsafeRawPointer(bitPattern: 0x7777_7777_0000))
        board.post(Prefetches(Prefetch(nowhere, stride: 1 << 30, byteCount: 1 << 14)))
        var progress = PrefetchBoard.Progress()
        #expect(Self.fetched(board, &progress) == Self.pieces(1 << 14))
    }

    @Test("what is fetched for a matrix is what its threads begin with", arguments: [2, 4], [1, 40])
    func matchesLoops(threads: Int, inputRows: Int) {
        var numbers = RandomNumbers(seed: 9)
        let matrix = RandomMatrix(.init(dtype: .bf16, rows: 2000, columns: 96), using: &numbers).matrix
        let processor = Processor(threads: threads, compute: .fast)
        let prefetch = processor.prefetch(of: matrix.unowned, inputRows: inputRows)
        let blocks = processor.blocks(of: matrix.unowned, inputRows: inputRows)
        let first = firstRuns(of: blocks.count, processor)
        let rowBytes = matrix.rowStride * 2
        #expect(prefetch.byteCount == min(blocks[first[0]].count * rowBytes, 1 << 18))
        for (thread, run) in first.enumerated() {
            #expect(
                prefetch.start + thread * prefetch.stride == matrix.weights + blocks[run].lowerBound * rowBytes)
        }
    }

    @Test("what is fetched for heads is what its threads begin with", arguments: [2, 4], [3, 8, 37])
    func matchesHeads(threads: Int, count: Int) {
        var numbers = RandomNumbers(seed: 9)
        let matrix = RandomMatrix(.init(dtype: .bf16, rows: count * 6, columns: 96), using: &numbers).matrix
        let heads = (0..<count).map { matrix.slice(rows: $0 * 6..<$0 * 6 + 6) }
        let processor = Processor(threads: threads, compute: .fast)
        let prefetch = processor.prefetch(of: heads.map(\.unowned))
        for (thread, run) in firstRuns(of: count, processor).enumerated() {
            #expect(prefetch.start + thread * prefetch.stride == heads[run.lowerBound].weights)
            #expect(prefetch.byteCount == run.count * 6 * matrix.rowStride * 2)
        }
    }

    /// In the order of their threads.
    private func firstRuns(of count: Int, _ processor: Processor) -> ArraySlice<Range<Int>> {
        let runs = Mutex<[Range<Int>]>([])
        processor.team.forEachRun(count) { run in runs.withLock { $0.append(run) } }
        return runs.withLock { $0.sorted { $0.lowerBound < $1.lowerBound } }.prefix(processor.team.threads)
    }
}
