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
