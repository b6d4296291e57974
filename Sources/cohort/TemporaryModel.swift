internal import Checkpoint
internal import Foundation

/// A checkpoint of a few small mixture layers in a temporary folder, gone with its last reference.
final class TemporaryModel {
    let checkpoint: Checkpoint
    private let folder: URL

    /// - Parameters:
    ///   - experts: a multiple of 8, of which each token gets 8.
    ///   - width: an expert's inner dimension; the narrower, the more of a step is the way to the experts.
    init(hiddenSize: Int, layers: Int = 1, experts: Int = 64, width: Int = 128, seed: UInt64) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("cohort-bench-\(UUID().uuidString)")
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let config = folder.appendingPathComponent("source.json")
            try Data(Self.config(hiddenSize, layers, experts, width).utf8).write(to: config)
            let model = folder.appendingPathComponent("model").path
            try SyntheticCheckpoint(configFile: config.path, format: .fp8, seed: seed).write(
                to: model, threads: Machine.coreCount)
            checkpoint = try Checkpoint(folder: model)
        } catch {
            try? FileManager.default.removeItem(at: folder)
            throw error
        }
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private static func config(_ hiddenSize: Int, _ layers: Int, _ experts: Int, _ width: Int) -> String {
        """
        {"model_type": "deepseek_v3", "vocab_size": 256, "hidden_size": \(hiddenSize), "intermediate_size": 128,
         "moe_intermediate_size": \(width), "num_hidden_layers": \(layers),
         "first_k_dense_replace": 0, "num_attention_heads": 1,
         "num_key_value_heads": 1, "q_lora_rank": 128, "kv_lora_rank": 128, "qk_nope_head_dim": 64,
         "qk_rope_head_dim": 64, "v_head_dim": 64, "n_routed_experts": \(experts), "n_shared_experts": 1,
         "num_experts_per_tok": 8, "n_group": 8, "topk_group": 4, "scoring_func": "sigmoid",
         "topk_method": "noaux_tc", "norm_topk_prob": true, "routed_scaling_factor": 2.5, "rms_norm_eps": 1e-06,
         "rope_theta": 10000, "max_position_embeddings": 4096, "hidden_act": "silu", "attention_bias": false,
         "moe_layer_freq": 1, "num_nextn_predict_layers": 0, "tie_word_embeddings": false,
         "bos_token_id": 0, "eos_token_id": 1, "torch_dtype": "bfloat16"}
        """
    }
}
