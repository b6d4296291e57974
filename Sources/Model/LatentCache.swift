package import Kernels

/// The pages that all sequences' latent caches are made of: 64 positions of every layer, (latent + rope) values each.
package final class CachePool {
    package let layerCount: Int
    package let width: Int
    package let dtype: LatentCacheView.DType
    package let maximumPages: Int
    private var free: [UnsafeMutableRawPointer] = []
    /// What pages are cut from, so that they lie in huge pages of the system whatever their size.
    private var slabs: [AlignedBuffer<UInt8>] = []
    private var made = 0

    /// - Parameters:
    ///   - layerCount: layers with a cache, the MTP layer included where there is one.
    ///   - width: values per position and layer: latent rank + rope dimension.
    ///   - maximumPositions: how many positions all sequences together may hold; rounded up to pages.
    package init(layerCount: Int, width: Int, compute: Compute, maximumPositions: Int) {
        self.layerCount = layerCount
        self.width = width
        dtype = LatentCacheView.DType(compute)
        maximumPages = (maximumPositions + Self.pagePositions - 1) / Self.pagePositions
    }

    package var pageLayerByteCount: Int { Self.pagePositions * width * dtype.byteSize }
    package var pageByteCount: Int { layerCount * pageLayerByteCount }
    package var freePages: Int { maximumPages - made + free.count }

    /// All of `count` pages, or none.
    fileprivate func take(_ count: Int) throws(CacheError) -> [UnsafeMutableRawPointer] {
        guard count <= freePages else { throw .full(positions: maximumPages * Self.pagePositions) }
        return (0..<count).map { _ in free.popLast() ?? make() }
    }

    fileprivate func give(_ pages: [UnsafeMutableRawPointer]) { free.append(contentsOf: pages) }

    private func make() -> UnsafeMutableRawPointer {
        let perSlab = max(1, Self.slabByteCount / pageByteCount)
        let (slab, place) = made.quotientAndRemainder(dividingBy: perSlab)
        if slab == slabs.count {
            slabs.append(AlignedBuffer(count: min(perSlab, maximumPages - made) * pageByteCount))
        }
        made += 1
        return UnsafeMutableRawPointer(slabs[slab].pointer + place * pageByteCount)
    }

    /// Long enough that tables stay short, short enough to waste little.
    package static let pagePositions = 64
    /// Many huge pages; memory is the system's until it is used.
    private static let slabByteCount = 64 << 20
}

package enum CacheError: Error, CustomStringConvertible {
    case full(positions: Int)

    package var description: String {
        switch self {
        case .full(let positions):
            "the KV cache is full at \(positions) positions: ask for fewer tokens at once, or raise --context"
        }
    }
}

/// One sequence's latent KV cache: a list of pages, and a table of where they begin.
package final class LatentCache {
    private let pool: CachePool
    private var pages: [UnsafeMutableRawPointer] = []
    private var table: AlignedBuffer<UnsafeRawPointer?>

    package init(pool: CachePool) {
        self.pool = pool
        table = AlignedBuffer(count: 0)
    }

    deinit { pool.give(pages) }

    package var capacity: Int { pages.count * CachePool.pagePositions }

    /// Makes room for positions 0 ..< `positions`.
    /// - Throws: `CacheError` when the pool has not so much left; nothing has changed then.
    package func reserve(_ positions: Int) throws(CacheError) {
        guard capacity < positions else { return }
        let count = (positions + CachePool.pagePositions - 1) / CachePool.pagePositions
        pages += try pool.take(count - pages.count)
        if table.count < pages.count { table = AlignedBuffer(count: 2 * pages.count) }
        for (index, page) in pages.enumerated() { table.pointer[index] = UnsafeRawPointer(page) }
    }

    /// Where a position's values of a layer stand: [latent, then rotated rope key].
    package func row(layer: Int, position: Int) -> UnsafeMutableRawPointer {
        let (page, offset) = position.quotientAndRemainder(dividingBy: CachePool.pagePositions)
        return pages[page] + layer * pool.pageLayerByteCount + offset * pool.width * pool.dtype.byteSize
    }

    /// Fills positions 0 ..< `positions` of all layers with seeded numbers between -1 and 1: what a cache of that
    /// length costs can be measured without the prompt that would fill it.
    package func invent(positions: Int, seed: UInt64) {
        precondition(positions <= capacity, "the cache has no room for so many positions")
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        for layer in 0..<pool.layerCount {
            for position in 0..<positions {
                let row = row(layer: layer, position: position)
                for index in 0..<pool.width {
                    state = state &* 0x5851_F42D_4C95_7F2D &+ 0x1405_7B7E_F767_814F
                    let value = Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
                    let offset = index * pool.dtype.byteSize
                    switch pool.dtype {
                    case .bf16:
                        let bits = UInt16(truncatingIfNeeded: value.bitPattern >> 16)
                        row.storeBytes(of: bits, toByteOffset: offset, as: UInt16.self)
                    case .f32: row.storeBytes(of: value, toByteOffset: offset, as: Float.self)
                    }
                }
            }
        }
    }

    /// A layer as attention reads it; good until the next `reserve`.
    func view(layer: Int, latent: Int, scale: Float) -> LatentCacheView {
        LatentCacheView(
            pages: UnsafePointer(table.pointer), pageOffset: layer * pool.pageLayerByteCount,
            dtype: pool.dtype, pagePositions: CachePool.pagePositions, latent: latent, rope: pool.width - latent,
            scale: scale)
    }
}
