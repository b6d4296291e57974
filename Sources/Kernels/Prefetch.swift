/// Memory that each thread of a team is about to read, at a place of its own: what it begins a loop with.
package struct Prefetch: Sendable {
    package nonisolated(unsafe) let start: UnsafeRawPointer
    /// Bytes from one thread's place to the next one's.
    package let stride: Int
    package let byteCount: Int

    /// - Parameters:
    ///   - start: the first thread's place.
    ///   - byteCount: no more than a part of a second-level cache is fetched.
    package init(_ start: UnsafeRawPointer, stride: Int, byteCount: Int) {
        self.start = start
        self.stride = stride
        self.byteCount = min(byteCount, Self.mostBytes)
    }

    /// The cache has room for what the threads are still at, too.
    private static let mostBytes = 1 << 18
}

/// What the next loop begins with, one after the other.
package struct Prefetches: Sendable {
    let first: Prefetch
    let second: Prefetch?

    package init(_ first: Prefetch, then second: Prefetch? = nil) {
        self.first = first
        self.second = second
    }
}
