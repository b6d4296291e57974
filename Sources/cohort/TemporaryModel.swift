internal import Checkpoint
internal import Foundation

/// A checkpoint of a few layers in a temporary folder, gone with its last reference.
final class TemporaryModel {
    let checkpoint: Checkpoint
    private let folder: TemporaryFolder

    /// What differs between such models.
    struct Shape {
        /// Of each token.
        static let expertsPerToken = 8

        var hiddenSize: Int
        var layers = 1
        var denseLayers = 0
        /// A multiple of 8.
        var experts = 64
        /// An expert's inner dimension; the narrower, the more of a step is the way to the experts.
        var width = 128
        var denseWidth = 128
        var vocabulary = 256
        var heads = 1
        /// Of queries and of the latent cache.
        var ranks = (128, 128)
        /// Of a head's keys without and with position.
        var headSizes = (64, 64)
        var valueSize = 64

        /// DeepSeek-R1's widths, with one dense and one MoE layer.
        static let r1Layers = Shape(
            hiddenSize: 7168, layers: 2, denseLayers: 1, experts: 256, width: 2048, denseWidth: 18_432,
            vocabulary: 129_280, heads: 128, ranks: (1536, 512), headSizes: (128, 64), valueSize: 128)
    }

    init(_ shape: Shape, seed: UInt64) throws {
        folder = try TemporaryFolder("cohort-bench")
        let config = "\(folder.path)/source.json"
        try Data(Self.config(shape).utf8).write(to: URL(fileURLWithPath: config))
        let model = "\(folder.path)/model"
        try SyntheticCheckpoint(configFile: config, format: .fp8, seed: seed).write(
            to: model, threads: Machine.coreCount)
        checkpoint = try Checkpoint(folder: model)
    }

    private static func config(_ shape: Shape) -> String {
        """
        {"model_type": "deepseek_v3", "vocab_size": \(shape.vocabulary), "hidden_size": \(shape.hiddenSize),
         "intermediate_size": \(shape.denseWidth), "moe_intermediate_size": \(shape.width),
         "num_hidden_layers": \(shape.layers), "first_k_dense_replace": \(shape.denseLayers),
         "num_attention_heads": \(shape.heads), "num_key_value_heads": \(shape.heads),
         "q_lora_rank": \(shape.ranks.0), "kv_lora_rank": \(shape.ranks.1),
         "qk_nope_head_dim": \(shape.headSizes.0), "qk_rope_head_dim": \(shape.headSizes.1),
         "v_head_dim": \(shape.valueSize), "n_routed_experts": \(shape.experts), "n_shared_experts": 1,
         "num_experts_per_tok": \(Shape.expertsPerToken), "n_group": 8, "topk_group": 4, "scoring_func": "sigmoid",
         "topk_method": "noaux_tc", "norm_topk_prob": true, "routed_scaling_factor": 2.5, "rms_norm_eps": 1e-06,
         "rope_theta": 10000, "max_position_embeddings": 163840, "hidden_act": "silu", "attention_bias": false,
         "moe_layer_freq": 1, "num_nextn_predict_layers": 0, "tie_word_embeddings": false,
         "bos_token_id": 0, "eos_token_id": 1, "torch_dtype": "bfloat16"}
        """
    }
}
