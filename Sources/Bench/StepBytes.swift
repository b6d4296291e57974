package import Checkpoint

/// The bytes that one decoding step must read at least: what no cache can hold.
package struct StepBytes: Sendable, Equatable {
    /// The weights that every step reads, whatever its tokens.
    package let coordinator: Int
    /// One routed expert of one layer, with its scales.
    package let expert: Int
    /// One position of the latent cache, over all layers.
    package let cachePosition: Int
    /// One token's row of the embedding.
    package let embeddingRow: Int

    /// - Parameters:
    ///   - held: what matrices are held as.
    ///   - cacheValueByteSize: 2 for a bf16 cache, 4 for f32.
    package init(_ config: ModelConfig, held: HeldDTypes = HeldDTypes(), cacheValueByteSize: Int) {
        let layout = ModelLayout(config, includesMTP: false, held: held)
        let embedding = layout.byteCount { $0 == .embedding }
        let routed = layout.byteCount {
            if case .expert = $0 { true } else { false }
        }
        coordinator = layout.byteCount - routed - (config.tiedEmbeddings ? 0 : embedding)
        expert = layout.expertByteCount
        cachePosition = (config.latentRank + config.ropeDimension) * config.layerCount * cacheValueByteSize
        embeddingRow = embedding / config.vocabularySize
    }

    /// - Parameters:
    ///   - rows: tokens that the step computes.
    ///   - distinctExperts: how many routed experts the step needs, counted over all layers.
    ///   - positions: cache positions that the step attends to, counted over all rows.
    package func touched(rows: Int, distinctExperts: Int, positions: Int) -> Int {
        coordinator + rows * embeddingRow + distinctExperts * expert + positions * cachePosition
    }
}
