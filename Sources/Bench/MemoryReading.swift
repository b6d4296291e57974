package import Kernels

/// How fast all threads together read memory, for those who measure something else beside it.
package struct MemoryReading {
    private let arena: Arena
    private let processor: Processor

    package init(_ processor: Processor) {
        self.processor = processor
        arena = Arena(byteCount: Self.byteCount, processor: processor)
    }

    /// Bytes per second, of reading some hundred megabytes once.
    package func bandwidth() -> Double {
        Double(arena.byteCount) / Stopwatch.seconds { MachineLimits.read(arena, processor) }
    }

    /// Far larger than the caches.
    static let byteCount = 512 << 20
}
