import Kernels
import Model
import Testing

@Suite struct LatentCacheTests {
    private func pool(positions: Int) -> CachePool {
        CachePool(layerCount: 3, width: 24, compute: .f32, maximumPositions: positions)
    }

    @Test("pages come back when a sequence ends")
    func recycling() throws {
        let pool = pool(positions: 10 * CachePool.pagePositions)
        for _ in 0..<50 {
            let caches = (0..<5).map { _ in LatentCache(pool: pool) }
            for cache in caches { try cache.reserve(CachePool.pagePositions + 1) }
            withExtendedLifetime(caches) { #expect(pool.freePages == 0) }
        }
        #expect(pool.freePages == 10)
    }

    @Test("a full pool says so and keeps what it has")
    func full() throws {
        let pool = pool(positions: 2 * CachePool.pagePositions - 5)
        let cache = LatentCache(pool: pool)
        try cache.reserve(2 * CachePool.pagePositions)
        #expect(throws: CacheError.self) { try LatentCache(pool: pool).reserve(1) }
        #expect(cache.capacity == 2 * CachePool.pagePositions)
    }

    @Test("no page lies over another, in whatever slab it is, also when it is taken again")
    func separatePages() throws {
        // R1's: a slab holds seven.
        let (layers, width, pages) = (61, 576, 16)
        let pool = CachePool(
            layerCount: layers, width: width, compute: .f32, maximumPositions: pages * CachePool.pagePositions)
        for _ in 0..<2 {
            let caches = (0..<2).map { _ in LatentCache(pool: pool) }
            for (cache, count) in zip(caches, [5, 11]) { try cache.reserve(count * CachePool.pagePositions) }
            let ranges = caches.flatMap { cache in
                stride(from: 0, to: cache.capacity, by: CachePool.pagePositions).map { first in
                    let last = cache.row(layer: layers - 1, position: first + CachePool.pagePositions - 1)
                    return cache.row(layer: 0, position: first)..<last + width * MemoryLayout<Float>.size
                }
            }.sorted { $0.lowerBound < $1.lowerBound }
            #expect(ranges.count == pages && pool.freePages == 0)
            #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound })
            withExtendedLifetime(caches) {
                for range in ranges {
                    range.lowerBound.storeBytes(of: 1, as: UInt8.self)
                    (range.upperBound - 1).storeBytes(of: 1, as: UInt8.self)
                }
            }
        }
        #expect(pool.freePages == pages)
    }

    @Test("what finds no room takes nothing")
    func allOrNothing() throws {
        let pool = pool(positions: 4 * CachePool.pagePositions)
        let (first, second) = (LatentCache(pool: pool), LatentCache(pool: pool))
        try first.reserve(CachePool.pagePositions)
        try second.reserve(CachePool.pagePositions)
        #expect(throws: CacheError.self) { try second.reserve(4 * CachePool.pagePositions) }
        #expect(second.capacity == CachePool.pagePositions && pool.freePages == 2)
        try first.reserve(3 * CachePool.pagePositions)
        withExtendedLifetime((first, second)) { #expect(pool.freePages == 0) }
    }
}
