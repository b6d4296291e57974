internal import Kernels

/// Every tensor of the published format that a config calls for, in the order of the forward pass.
package struct ModelLayout: Sendable {
    package let config: ModelConfig
    package let tensors: [TensorSpec]

    /// - Parameters:
    ///   - includesMTP: whether the layers from `layerCount` on are listed too.
    ///   - held: what matrices become when they are loaded; without it the layout is that of the files.
    package init(_ config: ModelConfig, includesMTP: Bool = true, held: HeldDTypes = HeldDTypes()) {
        self.config = config
        var builder = Builder(config: config, held: held)
        builder.addAll(includesMTP: includesMTP)
        tensors = builder.tensors
    }

    /// Bytes of the tensors, scales included.
    package var byteCount: Int { byteCount { _ in true } }

    /// Bytes of the tensors whose role passes, scales included.
    package func byteCount(where passes: (TensorSpec.Role) -> Bool) -> Int {
        tensors.reduce(0) { $0 + (passes($1.role) ? $1.byteCount : 0) }
    }

    /// Numbers that were trained: scales do not count.
    package var parameterCount: Int { tensors.reduce(0) { $0 + ($1.isScale ? 0 : $1.elementCount) } }

    /// Bytes of one routed expert of one layer, scales included.
    package var expertByteCount: Int {
        let layer = config.denseLayerCount
        return byteCount { $0 == .expert(layer: layer, expert: 0) }
    }
}

extension ModelLayout {
    private struct Builder {
        let config: ModelConfig
        let held: HeldDTypes
        var tensors: [TensorSpec] = []

        mutating func addAll(includesMTP: Bool) {
            let hidden = config.hiddenSize
            add(TensorName.embedding, [config.vocabularySize, hidden], .embedding, .embedding)
            for layer in 0..<config.layerCount { addLayer(layer) }
            add(TensorName.finalNorm, [hidden], .norm(layer: nil), .norm)
            if !config.tiedEmbeddings {
                add(TensorName.head, [config.vocabularySize, hidden], .head, .head)
            }
            guard includesMTP else { return }
            for layer in config.layerCount..<config.layerCount + config.mtpLayerCount { addMTPLayer(layer) }
        }

        private mutating func addLayer(_ layer: Int) {
            let names = LayerTensorNames(layer: layer)
            add(names.inputNorm, [config.hiddenSize], .norm(layer: layer), .norm)
            addAttention(layer, names)
            add(names.postAttentionNorm, [config.hiddenSize], .norm(layer: layer), .norm)
            if layer < config.denseLayerCount {
                addFeedForward(names.dense, config.intermediateSize, .dense(layer: layer))
            } else {
                addExperts(layer, names)
            }
        }

        private mutating func addMTPLayer(_ layer: Int) {
            let names = LayerTensorNames(layer: layer)
            let hidden = config.hiddenSize
            let role = TensorSpec.Role.mtp(layer: layer)
            add(names.mtpEmbedding, [config.vocabularySize, hidden], role, .embedding)
            add(names.mtpEmbeddingNorm, [hidden], role, .norm)
            add(names.mtpHiddenNorm, [hidden], role, .norm)
            add(names.mtpJoin, [hidden, 2 * hidden], role, .join)
            addLayer(layer)
            add(names.mtpFinalNorm, [hidden], role, .norm)
            add(names.mtpHead, [config.vocabularySize, hidden], role, .head)
        }

        private mutating func addAttention(_ layer: Int, _ names: LayerTensorNames) {
            let role = TensorSpec.Role.attention(layer: layer)
            let hidden = config.hiddenSize
            let queryRows = config.headCount * config.queryDimension
            if let rank = config.queryRank {
                addLinear(names.queryDown, rank, hidden, role, .queryDown)
                add(names.queryNorm, [rank], role, .norm)
                addLinear(names.queryUp, queryRows, rank, role, .queryUp)
            } else {
                addLinear(names.query, queryRows, hidden, role, .query)
            }
            let latent = config.latentRank
            addLinear(names.latentDown, latent + config.ropeDimension, hidden, role, .latentDown)
            add(names.latentNorm, [latent], role, .norm)
            let keyValueRows = config.headCount * (config.nopeDimension + config.valueDimension)
            addLinear(names.latentUp, keyValueRows, latent, role, .latentUp)
            addLinear(names.output, hidden, config.headCount * config.valueDimension, role, .output)
        }

        private mutating func addExperts(_ layer: Int, _ names: LayerTensorNames) {
            add(names.router, [config.expertCount, config.hiddenSize], .router(layer: layer), .router)
            if config.routing.selection == .noAuxTC {
                add(names.routerBias, [config.expertCount], .router(layer: layer), .routerBias, dtype: .f32)
            }
            for expert in 0..<config.expertCount {
                addFeedForward(
                    names.expert(expert), config.expertIntermediateSize, .expert(layer: layer, expert: expert))
            }
            addFeedForward(names.sharedExpert, config.sharedIntermediateSize, .sharedExpert(layer: layer))
        }

        private mutating func addFeedForward(_ names: FeedForwardTensorNames, _ inner: Int, _ role: TensorSpec.Role) {
            addLinear(names.gate, inner, config.hiddenSize, role, .gate)
            addLinear(names.up, inner, config.hiddenSize, role, .up)
            addLinear(names.down, config.hiddenSize, inner, role, .down)
        }

        /// A weight that is FP8 with block scales in a quantized model.
        private mutating func addLinear(
            _ name: String, _ rows: Int, _ columns: Int, _ role: TensorSpec.Role, _ part: TensorSpec.Part
        ) {
            guard let block = config.quantization else { return add(name, [rows, columns], role, part) }
            add(name, [rows, columns], role, part, dtype: .f8e4m3, block: block)
        }

        /// A tensor, and its scales if each `block` of it has one.
        private mutating func add(
            _ name: String, _ shape: [Int], _ role: TensorSpec.Role, _ part: TensorSpec.Part,
            dtype: WeightDType = .bf16, block: BlockShape? = nil
        ) {
            var (dtype, block) = (dtype, block)
            if shape.count == 2, let held = held.held(role, part), held.dtype != dtype {
                dtype = held.dtype
                block = dtype.isScaled ? BlockShape(rows: 1, columns: HeldDType.groupColumns) : nil
            }
            tensors.append(TensorSpec(name: name, shape: shape, dtype: dtype, role: role, part: part))
            guard let block else { return }
            let scale = block.scaleShape(rows: shape[0], columns: shape[1])
            tensors.append(
                TensorSpec(
                    name: TensorName.scale(of: name), shape: [scale.rows, scale.columns], dtype: .f32, role: role,
                    part: part, scaleBlock: block))
        }
    }
}
