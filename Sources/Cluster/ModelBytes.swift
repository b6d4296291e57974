internal import Checkpoint

/// What of a model costs memory and bandwidth, in bytes with scales, without the MTP layers.
struct ModelBytes {
    let total: Int
    /// The routed experts of all layers.
    let routed: Int
    let embedding: Int
    /// The shared expert of one layer.
    let sharedExpert: Int
    /// One position in the latent KV cache, over all layers.
    let cachePerToken: Int
    /// The embedding of one token.
    let embeddingRow: Int
    /// Multiply-adds of the coordinator for one row, without attention's over the cache.
    let multiplyAdds: Int
    /// Whether the head reads the embedding's weights.
    let tiedEmbeddings: Bool

    /// The latent KV cache is kept in bf16.
    static let cacheValueByteSize = 2

    init(_ layout: ModelLayout) {
        let config = layout.config
        var (total, routed, embedding, sharedExpert, multiplyAdds) = (0, 0, 0, 0, 0)
        for tensor in layout.tensors where tensor.role.layer ?? 0 < config.layerCount {
            total += tensor.byteCount
            if !tensor.isScale, !tensor.isRouted, tensor.role != .embedding { multiplyAdds += tensor.elementCount }
            switch tensor.role {
            case .expert: routed += tensor.byteCount
            case .embedding: embedding += tensor.byteCount
            case .sharedExpert(config.denseLayerCount): sharedExpert += tensor.byteCount
            default: break
            }
        }
        self.total = total
        self.routed = routed
        self.embedding = embedding
        self.sharedExpert = sharedExpert
        self.multiplyAdds = multiplyAdds
        cachePerToken = (config.latentRank + config.ropeDimension) * config.layerCount * Self.cacheValueByteSize
        embeddingRow = embedding / config.vocabularySize
        tiedEmbeddings = config.tiedEmbeddings
    }

    /// Everything but the routed experts.
    var coordinator: Int { total - routed }

    /// What the coordinator reads for one step, beside the KV cache and the tokens' own embedding rows.
    var coordinatorPerStep: Int { coordinator - (tiedEmbeddings ? 0 : embedding) }
}
