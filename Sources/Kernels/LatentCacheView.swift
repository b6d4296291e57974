internal import CKernels

/// What one token attends to in one layer: positions 0..<positions of a paged latent cache. Does not own its memory.
package struct LatentCacheView {
    package enum DType: Sendable {
        case f32
        case bf16
    }

    /// A page must hold a multiple of this many positions: attention goes through the cache in blocks of it.
    package static let blockPositions = Int(COHORT_ATTENTION_BLOCK)

    /// pages[p]: [pagePositions, latent + rope], no alignment needed.
    package let pages: UnsafePointer<UnsafeRawPointer?>
    package let dtype: DType
    package let pagePositions: Int
    package let positions: Int
    package let latent: Int
    package let rope: Int
    /// Multiplies the scores before the softmax.
    package let scale: Float

    package init(
        pages: UnsafePointer<UnsafeRawPointer?>, dtype: DType, pagePositions: Int, positions: Int, latent: Int,
        rope: Int, scale: Float
    ) {
        precondition(pagePositions > 0 && pagePositions % Self.blockPositions == 0, "pages are made of whole blocks")
        precondition(positions > 0, "a token attends at least to itself")
        self.pages = pages
        self.dtype = dtype
        self.pagePositions = pagePositions
        self.positions = positions
        self.latent = latent
        self.rope = rope
        self.scale = scale
    }
}
