import Checkpoint
import Kernels
import Model
import TestSupport
import Testing

/// What stays in memory of the stored matrices that others were made of.
@Suite struct ConvertedMemoryTests {
    private static let fields: [String: any Sendable] = [
        "num_attention_heads": 16, "num_key_value_heads": 16, "qk_nope_head_dim": 128, "v_head_dim": 128,
        "kv_lora_rank": 256, "vocab_size": 4096, "tie_word_embeddings": true,
    ]

    @Test(
        "nothing of the stored projection of the latent stays once heads have theirs, converted or not",
        arguments: [nil, HeldDType.int8])
    func latentProjection(dtype: HeldDType?) throws {
        let wide = try WideModel(experts: 4, fields: Self.fields)
        defer { wide.remove() }
        let model = try DecoderModel(from: wide.checkpoint, as: dtype)
        try withExtendedLifetime(model) {
            for layer in 0..<wide.checkpoint.config.layerCount {
                let stored = try wide.checkpoint.matrix(
                    LayerTensorNames(layer: layer).latentUp, rows: 16 * 256, columns: 256)
                let (all, present) = try wide.pages(stored)
                // What is read beside it brings a few of its outer pages back.
                #expect(all > 500 && present <= 64, "\(present) of \(all) pages of layer \(layer)")
            }
        }
    }

    @Test("a tied embedding stays in memory when the head is made of it")
    func tiedEmbedding() throws {
        let wide = try WideModel(experts: 4, fields: Self.fields)
        defer { wide.remove() }
        let model = try DecoderModel(from: wide.checkpoint, as: .int8)
        let stored = try wide.checkpoint.matrix(TensorName.embedding, rows: 4096, columns: 1024)
        let (all, present) = try withExtendedLifetime(model) { try wide.pages(stored) }
        #expect(all > 2000 && present == all)
    }
}
