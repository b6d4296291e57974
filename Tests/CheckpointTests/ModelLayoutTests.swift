internal import Checkpoint
internal import Kernels
internal import Testing

@Suite struct ModelLayoutTests {
    @Test("R1's layout has the published numbers of tensors, bytes and parameters")
    func r1() throws {
        let config = try ModelConfig(folder: SampleConfig.r1Folder)
        let whole = ModelLayout(config)
        #expect(whole.tensors.count == 91_991)
        #expect(whole.byteCount == 688_574_839_360)
        let main = ModelLayout(config, includesMTP: false)
        #expect(main.tensors.count == 90_427)
        #expect(main.byteCount == 673_150_611_808)
        #expect(main.parameterCount == 671_026_419_200)
        #expect(whole.expertByteCount == 3 * (2048 * 7168 + 16 * 56 * 4))
        #expect(Set(whole.tensors.map(\.name)).count == whole.tensors.count)
    }

    @Test("R1's tensors have their published shapes, also where a block is short")
    func r1Shapes() throws {
        let tensors = ModelLayout(try ModelConfig(folder: SampleConfig.r1Folder)).tensors
        let shapes = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.shape) })
        let published = [
            "model.embed_tokens.weight": [129280, 7168], "lm_head.weight": [129280, 7168],
            "model.layers.0.self_attn.q_a_proj.weight": [1536, 7168],
            "model.layers.0.self_attn.q_b_proj.weight_scale_inv": [192, 12],
            "model.layers.60.self_attn.kv_a_proj_with_mqa.weight": [576, 7168],
            "model.layers.60.self_attn.kv_a_proj_with_mqa.weight_scale_inv": [5, 56],
            "model.layers.5.self_attn.kv_b_proj.weight": [32768, 512],
            "model.layers.5.self_attn.o_proj.weight": [7168, 16384],
            "model.layers.2.mlp.down_proj.weight_scale_inv": [56, 144],
            "model.layers.3.mlp.gate.weight": [256, 7168], "model.layers.3.mlp.gate.e_score_correction_bias": [256],
            "model.layers.60.mlp.experts.255.down_proj.weight": [7168, 2048],
            "model.layers.60.mlp.shared_experts.up_proj.weight": [2048, 7168],
            "model.layers.61.eh_proj.weight": [7168, 14336], "model.layers.61.shared_head.head.weight": [129280, 7168],
        ]
        for (name, shape) in published { #expect(shapes[name] == shape, "\(name)") }
        #expect(shapes["model.layers.3.mlp.gate.weight_scale_inv"] == nil)
        #expect(shapes["model.layers.61.eh_proj.weight_scale_inv"] == nil)
    }

    @Test("tied embeddings, a full query projection, V2 routing and bf16 leave out what they do not have")
    func variants() throws {
        func names(_ config: SampleConfig) throws -> Set<String> {
            Set(ModelLayout(try config.parsed()).tensors.map(\.name))
        }
        #expect(try !names(.v3.setting(["tie_word_embeddings": "true"])).contains("lm_head.weight"))
        let full = try names(.v3.setting(["q_lora_rank": "null"]))
        #expect(full.contains("model.layers.0.self_attn.q_proj.weight"))
        #expect(!full.contains { $0.contains("q_a_") || $0.contains("q_b_") })
        let v2 = try names(.v2)
        #expect(!v2.contains { $0.contains("e_score_correction_bias") || $0.contains("_scale_inv") })
        #expect(v2.contains("model.layers.2.mlp.experts.7.up_proj.weight"))
        #expect(!v2.contains { $0.hasPrefix("model.layers.3.") })
    }

    @Test("bytes by role add up to all bytes")
    func roles() throws {
        let layout = ModelLayout(try SampleConfig.v3.parsed())
        let routed = layout.byteCount { role in if case .expert = role { true } else { false } }
        let others = layout.byteCount { role in if case .expert = role { false } else { true } }
        #expect(routed == layout.expertByteCount * 8 * 3)
        #expect(routed + others == layout.byteCount)
    }

    @Test("what is held as another dtype is every matrix but router, embedding and norms")
    func heldDTypes() throws {
        let config = try ModelConfig(folder: SampleConfig.r1Folder)
        let held = ModelLayout(config, held: HeldDTypes(expert: .int8, dense: .int4)).tensors
        let stored = ModelLayout(config).tensors
        #expect(held.filter { !$0.isScale }.map(\.name) == stored.filter { !$0.isScale }.map(\.name))
        for tensor in held where !tensor.isScale {
            let expected: WeightDType
            switch tensor.part {
            case .embedding, .norm, .router: expected = .bf16
            case .routerBias: expected = .f32
            case .head, .latentDown, .latentUp: expected = .int8
            default: expected = tensor.isRouted ? .int8 : .int4
            }
            #expect(tensor.dtype == expected, "\(tensor.name)")
        }
        for (tensor, scale) in zip(held, held.dropFirst()) where scale.isScale {
            #expect(scale.shape == [tensor.shape[0], (tensor.shape[1] + 127) / 128], "\(tensor.name)")
        }
        #expect(held.filter(\.isScale).count == held.count { !$0.isScale && $0.dtype.isScaled })
    }
}
