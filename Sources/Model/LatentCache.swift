package import Kernels

/// The pages that all sequences' latent caches are made of: 64 positions of every layer, (latent + rope) values each.
package final class CachePool {
    package let layerCount: Int
    package let width: Int
    package let isNarrow: Bool
    package let maximumPages: Int
    private var free: [AlignedBuffer<UInt8>] = []
    private var made = 0

    /// - Parameters:
    ///   - layerCount: layers with a cache, the MTP layer included where there is one.
    ///   - width: values per position and layer: latent rank + rope dimension.
    ///   - maximumPositions: how many positions all sequences together may hold; rounded up to pages.
    package init(layerCount: Int, width: Int, compute: Compute, maximumPositions: Int) {
        self.layerCount = layerCount
        self.width = width
        isNarrow = compute == .fast
        maximumPages = (maximumPositions + Self.pagePositions - 1) / Self.pagePositions
    }

    package var valueByteSize: Int { isNarrow ? 2 : 4 }
    package var pageLayerByteCount: Int { Self.pagePositions * width * valueByteSize }
    package var pageByteCount: Int { layerCount * pageLayerByteCount }
    package var freePages: Int { maximumPages - made + free.count }

    fileprivate func take() throws(CacheError) -> AlignedBuffer<UInt8> {
        if let page = free.popLast() { return page }
        guard made < maximumPages else { throw .full(positions: maximumPages * Self.pagePositions) }
        made += 1
        return AlignedBuffer(count: pageByteCount)
    }

    fileprivate func give(_ pages: [AlignedBuffer<UInt8>]) { free.append(contentsOf: pages) }

    /// A multiple of the attention kernel's block of 32: long enough that tables stay short, short enough to waste
    /// little.
    package static let pagePositions = 64
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

/// One sequence's latent KV cache: a list of pages, and per layer a table of where they begin.
package final class LatentCache {
    private let pool: CachePool
    private var pages: [AlignedBuffer<UInt8>] = []
    private var tables: [[UnsafeRawPointer?]]

    package init(pool: CachePool) {
        self.pool = pool
        tables = Array(repeating: [], count: pool.layerCount)
    }

    deinit { pool.give(pages) }

    package var capacity: Int { pages.count * CachePool.pagePositions }

    /// Makes room for positions 0 ..< `positions`.
    package func reserve(_ positions: Int) throws(CacheError) {
        while capacity < positions {
            let page = try pool.take()
            pages.append(page)
            for layer in 0..<pool.layerCount {
                tables[layer].append(UnsafeRawPointer(page.pointer) + layer * pool.pageLayerByteCount)
            }
        }
    }

    /// Where a position's values of a layer stand: [latent, then rotated rope key].
    func row(layer: Int, position: Int) -> UnsafeMutableRawPointer {
        let (page, offset) = position.quotientAndRemainder(dividingBy: CachePool.pagePositions)
        return UnsafeMutableRawPointer(pages[page].pointer) + layer * pool.pageLayerByteCount
            + offset * pool.width * pool.valueByteSize
    }

    /// Calls `body` with the first positions of a layer as the attention kernel reads them.
    func withView(layer: Int, positions: Int, latent: Int, scale: Float, _ body: (LatentCacheView) -> Void) {
        tables[layer].withUnsafeBufferPointer { table in
            guard let pages = table.baseAddress else { preconditionFailure("the cache is empty") }
            body(
                LatentCacheView(
                    pages: pages, dtype: pool.isNarrow ? .bf16 : .f32, pagePositions: CachePool.pagePositions,
                    positions: positions, latent: latent, rope: pool.width - latent, scale: scale))
        }
    }
}
