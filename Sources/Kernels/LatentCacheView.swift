internal import CKernels

/// The latent cache of one sequence in one layer, as attention reads it. Does not own its memory.
package struct LatentCacheView {
    package enum DType: Sendable {
        case f32
        case bf16

        /// What a cache holds that products of this arithmetic write and read.
        package init(_ compute: Compute) {
            switch compute {
            case .f32: self = .f32
            case .fast: self = .bf16
            }
        }

        package var byteSize: Int { self == .f32 ? 4 : 2 }
    }

    /// pages[p] + pageOffset bytes: [pagePositions, latent + rope] finite values, no alignment needed.
    package let pages: UnsafePointer<UnsafeRawPointer?>
    package let pageOffset: Int
    package let dtype: DType
    package let pagePositions: Int
    package let latent: Int
    package let rope: Int
    /// Multiplies the scores before the softmax.
    package let scale: Float

    package init(
        pages: UnsafePointer<UnsafeRawPointer?>, pageOffset: Int = 0, dtype: DType, pagePositions: Int, latent: Int,
        rope: Int, scale: Float
    ) {
        precondition(pagePositions > 0, "a page holds positions")
        precondition(dtype == .f32 || (latent + rope).isMultiple(of: 2), "bf16 is read in pairs")
        self.pages = pages
        self.pageOffset = pageOffset
        self.dtype = dtype
        self.pagePositions = pagePositions
        self.latent = latent
        self.rope = rope
        self.scale = scale
    }

    var table: cohort_attention {
        cohort_attention(
            pages: pages, page_offset: pageOffset, dtype: UInt32(dtype == .f32 ? COHORT_F32 : COHORT_BF16),
            page_positions: UInt32(pagePositions), latent: UInt32(latent), rope: UInt32(rope), scale: scale)
    }
}
