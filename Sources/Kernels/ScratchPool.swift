internal import Synchronization

/// Scratch memory of one size for the items of parallel loops: as many pieces as threads have had at once.
package final class ScratchPool: Sendable {
    private let byteCount: Int
    private let free = Mutex<[AlignedBuffer<UInt8>]>([])

    package init(byteCount: Int) {
        self.byteCount = byteCount
    }

    /// Calls `body` with a piece that nobody else has meanwhile, at a 64-byte boundary; what stands in it is left over.
    package func withScratch(_ body: (UnsafeMutableRawPointer) -> Void) {
        let piece = free.withLock { $0.popLast() } ?? AlignedBuffer(count: byteCount)
        body(UnsafeMutableRawPointer(piece.pointer))
        free.withLock { $0.append(piece) }
    }
}
