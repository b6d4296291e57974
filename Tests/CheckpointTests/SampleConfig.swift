internal import Checkpoint

/// The members of a small config as JSON text, to be changed by tests.
struct SampleConfig {
    var members: [String: String]

    /// The folder of R1's published config.json and generation_config.json.
    static let r1Folder =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        + "/Fixtures/deepseek-r1"

    /// A small model of the V3 type with everything that R1 has.
    static let v3 = SampleConfig(members: [
        "model_type": "\"deepseek_v3\"", "vocab_size": "96", "hidden_size": "48", "intermediate_size": "40",
        "moe_intermediate_size": "20", "num_hidden_layers": "3", "first_k_dense_replace": "1",
        "num_attention_heads": "2", "num_key_value_heads": "2", "q_lora_rank": "24", "kv_lora_rank": "16",
        "qk_nope_head_dim": "8", "qk_rope_head_dim": "4", "v_head_dim": "8", "n_routed_experts": "8",
        "n_shared_experts": "1", "num_experts_per_tok": "3", "n_group": "4", "topk_group": "2",
        "scoring_func": "\"sigmoid\"", "topk_method": "\"noaux_tc\"", "norm_topk_prob": "true",
        "routed_scaling_factor": "2.5", "rms_norm_eps": "1e-06", "rope_theta": "10000",
        "max_position_embeddings": "4096", "hidden_act": "\"silu\"", "attention_bias": "false",
        "moe_layer_freq": "1", "num_nextn_predict_layers": "1", "tie_word_embeddings": "false",
        "bos_token_id": "0", "eos_token_id": "1", "rope_scaling": Self.yarn(typeKey: "type"),
        "quantization_config": """
        {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [16, 32]}
        """,
    ])

    /// The routing and attention of DeepSeek-V2-Lite.
    static let v2 = v3.setting([
        "model_type": "\"deepseek_v2\"", "scoring_func": "\"softmax\"", "topk_method": "\"greedy\"",
        "norm_topk_prob": "false", "routed_scaling_factor": "1.0", "q_lora_rank": "null", "n_shared_experts": "2",
        "n_group": nil, "topk_group": nil, "num_nextn_predict_layers": nil, "quantization_config": nil,
    ])

    static func yarn(typeKey: String, mscale: Double = 1) -> String {
        """
        {"\(typeKey)": "yarn", "factor": 40, "original_max_position_embeddings": 4096, "beta_fast": 32, \
        "beta_slow": 1, "mscale": \(mscale), "mscale_all_dim": \(mscale)}
        """
    }

    /// A copy with members replaced, or removed (nil).
    func setting(_ changes: [String: String?]) -> SampleConfig {
        var copy = self
        for (name, value) in changes { copy.members[name] = value }
        return copy
    }

    var json: String {
        "{" + members.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}"
    }

    func parsed() throws -> ModelConfig { try ModelConfig(json: Array(json.utf8), file: "some/config.json") }
}
