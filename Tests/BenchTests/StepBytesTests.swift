import Bench
import Checkpoint
import Foundation
import Testing

@Suite struct StepBytesTests {
    private static func config(quantized: Bool) throws -> ModelConfig {
        let quantization = """
            , "quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", \
            "weight_block_size": [128, 128]}
            """
        let json = """
            {"model_type": "deepseek_v3", "vocab_size": 1000, "hidden_size": 256, "intermediate_size": 512,
             "moe_intermediate_size": 128, "num_hidden_layers": 3, "first_k_dense_replace": 1,
             "num_attention_heads": 2, "num_key_value_heads": 2, "q_lora_rank": 128, "kv_lora_rank": 64,
             "qk_nope_head_dim": 64, "qk_rope_head_dim": 32, "v_head_dim": 64, "n_routed_experts": 8,
             "n_shared_experts": 1, "num_experts_per_tok": 2, "n_group": 4, "topk_group": 2,
             "scoring_func": "sigmoid", "topk_method": "noaux_tc", "norm_topk_prob": true,
             "routed_scaling_factor": 2.5, "rms_norm_eps": 1e-06, "rope_theta": 10000,
             "max_position_embeddings": 4096, "hidden_act": "silu", "attention_bias": false, "moe_layer_freq": 1,
             "num_nextn_predict_layers": 0, "tie_word_embeddings": false, "bos_token_id": 0, "eos_token_id": 1,
             "torch_dtype": "bfloat16"
             \(quantized ? quantization : "")}
            """
        return try ModelConfig(json: Array(json.utf8), file: "config.json")
    }

    @Test("an FP8 expert is its three matrices and a scale for each block of them")
    func expertBytes() throws {
        let bytes = StepBytes(try Self.config(quantized: true), cacheValueByteSize: 2)
        #expect(bytes.expert == 3 * (256 * 128) + 3 * 2 * 4)
    }

    @Test("a bf16 expert takes two bytes for each weight")
    func wideExpertBytes() throws {
        #expect(StepBytes(try Self.config(quantized: false), cacheValueByteSize: 2).expert == 2 * 3 * 256 * 128)
    }

    @Test("what experts are held as is what a step reads of them")
    func heldExpertBytes() throws {
        let bytes = StepBytes(
            try Self.config(quantized: true), held: HeldDTypes(expert: .int4), cacheValueByteSize: 2)
        // Rows of 256 and of 128 columns, a scale for each 128.
        #expect(bytes.expert == 3 * 256 * 128 / 2 + 2 * 128 * 2 * 4 + 256 * 4)
    }

    @Test("every step reads the coordinator's matrices, all but the embedding, and no expert")
    func coordinatorBytes() throws {
        let bytes = StepBytes(try Self.config(quantized: false), cacheValueByteSize: 2)
        let attention = 256 * 128 + 128 * 2 * 96 + 256 * 96 + 64 * 2 * 128 + 2 * 64 * 256
        let matrices = 3 * attention + 3 * 256 * 512 + 2 * 3 * 256 * 128 + 2 * 8 * 256 + 1000 * 256
        // Norms and router biases come on top; they are small.
        #expect(2 * matrices..<2 * matrices + 8000 ~= bytes.coordinator)
        #expect(bytes.embeddingRow == 512)
    }

    @Test("a step touches the experts that it hits and the positions that it attends to")
    func touched() throws {
        let bytes = StepBytes(try Self.config(quantized: true), cacheValueByteSize: 2)
        #expect(bytes.cachePosition == (64 + 32) * 3 * 2)
        let base = bytes.touched(rows: 0, distinctExperts: 0, positions: 0)
        #expect(base == bytes.coordinator)
        #expect(
            bytes.touched(rows: 2, distinctExperts: 5, positions: 70) - base
                == 2 * bytes.embeddingRow + 5 * bytes.expert + 70 * bytes.cachePosition)
    }
}
