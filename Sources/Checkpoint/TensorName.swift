/// Names of the tensors that belong to no layer.
package enum TensorName {
    package static let embedding = "model.embed_tokens.weight"
    package static let finalNorm = "model.norm.weight"
    /// Absent if the embeddings are tied.
    package static let head = "lm_head.weight"

    /// The name of the block scales of a weight.
    package static func scale(of weight: String) -> String { weight + scaleSuffix }

    /// The name of the weight that block scales belong to; nil if the name is not one of scales.
    package static func weight(ofScale name: String) -> String? {
        name.hasSuffix(scaleSuffix) ? String(name.dropLast(scaleSuffix.count)) : nil
    }

    private static let scaleSuffix = "_scale_inv"
}

/// Names of the tensors of one layer; MTP layers are counted on from `ModelConfig.layerCount`.
package struct LayerTensorNames: Sendable {
    private let prefix: String

    package init(layer: Int) {
        prefix = "model.layers.\(layer)."
    }

    package var inputNorm: String { prefix + "input_layernorm.weight" }
    package var postAttentionNorm: String { prefix + "post_attention_layernorm.weight" }

    /// The one query projection of models without q_lora_rank.
    package var query: String { prefix + "self_attn.q_proj.weight" }
    package var queryDown: String { prefix + "self_attn.q_a_proj.weight" }
    package var queryNorm: String { prefix + "self_attn.q_a_layernorm.weight" }
    package var queryUp: String { prefix + "self_attn.q_b_proj.weight" }
    package var latentDown: String { prefix + "self_attn.kv_a_proj_with_mqa.weight" }
    package var latentNorm: String { prefix + "self_attn.kv_a_layernorm.weight" }
    package var latentUp: String { prefix + "self_attn.kv_b_proj.weight" }
    package var output: String { prefix + "self_attn.o_proj.weight" }

    package var router: String { prefix + "mlp.gate.weight" }
    package var routerBias: String { prefix + "mlp.gate.e_score_correction_bias" }
    package var dense: FeedForwardTensorNames { FeedForwardTensorNames(prefix: prefix + "mlp.") }
    package var sharedExpert: FeedForwardTensorNames { FeedForwardTensorNames(prefix: prefix + "mlp.shared_experts.") }
    package func expert(_ expert: Int) -> FeedForwardTensorNames {
        FeedForwardTensorNames(prefix: prefix + "mlp.experts.\(expert).")
    }

    /// MTP: norm of the embedding.
    package var mtpEmbeddingNorm: String { prefix + "enorm.weight" }
    /// MTP: norm of the main model's hidden state.
    package var mtpHiddenNorm: String { prefix + "hnorm.weight" }
    /// MTP: projection of [embedding ; hidden state].
    package var mtpJoin: String { prefix + "eh_proj.weight" }
    package var mtpFinalNorm: String { prefix + "shared_head.norm.weight" }
    /// MTP: a copy of the main model's embedding.
    package var mtpEmbedding: String { prefix + "embed_tokens.weight" }
    /// MTP: a copy of the main model's head.
    package var mtpHead: String { prefix + "shared_head.head.weight" }
}

/// Names of the three matrices of a feed-forward: down(silu(gate(x)) * up(x)).
package struct FeedForwardTensorNames: Sendable {
    fileprivate let prefix: String

    package var gate: String { prefix + "gate_proj.weight" }
    package var up: String { prefix + "up_proj.weight" }
    package var down: String { prefix + "down_proj.weight" }
}
