internal import Checkpoint
internal import Testing

@Suite struct ModelConfigTests {
    @Test("R1's published config is read field by field")
    func r1() throws {
        let config = try ModelConfig(folder: SampleConfig.r1Folder)
        #expect(config.modelType == .deepseekV3)
        #expect([config.vocabularySize, config.hiddenSize, config.intermediateSize] == [129280, 7168, 18432])
        #expect([config.expertIntermediateSize, config.sharedIntermediateSize] == [2048, 2048])
        #expect([config.layerCount, config.denseLayerCount, config.mtpLayerCount] == [61, 3, 1])
        #expect(config.expertLayers == 3..<61)
        #expect([config.headCount, config.queryRank ?? 0, config.latentRank] == [128, 1536, 512])
        #expect([config.nopeDimension, config.ropeDimension, config.valueDimension] == [128, 64, 128])
        #expect([config.expertCount, config.expertsPerToken, config.sharedExpertCount] == [256, 8, 1])
        #expect(config.routing.scoring == .sigmoid && config.routing.selection == .noAuxTC)
        #expect([config.routing.groupCount, config.routing.keptGroupCount] == [8, 4])
        #expect(config.routing.normalizes && config.routing.scalingFactor == 2.5)
        #expect(config.normEpsilon == 1e-6 && config.maximumPositions == 163840)
        #expect(config.quantization == BlockShape(rows: 128, columns: 128) && !config.tiedEmbeddings)
        #expect(config.eosTokenIDs == [1] && config.bosTokenID == 0)
        let yarn = try #require(config.rope.yarn)
        #expect(config.rope.theta == 10000 && yarn.factor == 40 && yarn.originalMaximumPositions == 4096)
        #expect(yarn.rotationFactor == 1)
        #expect(abs(yarn.softmaxFactor - 1.3688879454113936 * 1.3688879454113936) < 1e-12)
    }

    @Test(
        "a field that the model needs and the file lacks is an error that names file and field",
        arguments: [
            "model_type", "vocab_size", "hidden_size", "intermediate_size", "moe_intermediate_size",
            "num_hidden_layers", "first_k_dense_replace", "num_attention_heads", "kv_lora_rank", "qk_nope_head_dim",
            "qk_rope_head_dim", "v_head_dim", "n_routed_experts", "n_shared_experts", "num_experts_per_tok", "n_group",
            "topk_group", "norm_topk_prob", "routed_scaling_factor", "rms_norm_eps",
            "rope_theta", "max_position_embeddings", "hidden_act", "eos_token_id",
        ])
    func missing(field: String) {
        for change in [nil, "null"] {
            let error = #expect(throws: CheckpointError.self) {
                try SampleConfig.v3.setting([field: change]).parsed()
            }
            #expect(error?.kind == .missing)
            #expect(error?.description.contains("some/config.json: \(field): ") == true)
        }
    }

    @Test(
        "fields that published configs leave out may be absent or null",
        arguments: [
            "q_lora_rank", "rope_scaling", "quantization_config", "num_nextn_predict_layers", "tie_word_embeddings",
            "num_key_value_heads", "attention_bias", "moe_layer_freq", "bos_token_id", "scoring_func", "topk_method",
        ])
    func optional(field: String) throws {
        let absent = try SampleConfig.v3.setting([field: nil]).parsed()
        #expect(try SampleConfig.v3.setting([field: "null"]).parsed() == absent)
    }

    @Test("every field with a value of another type is an error that names it")
    func wrongTypes() throws {
        let wrong = ["[]", "{}", "\"x\"", "12.5", "-3", "true", "99999999999999999999999", "[1, 2, 3]"]
        for field in SampleConfig.v3.members.keys {
            var refused = 0
            for value in wrong {
                do {
                    _ = try SampleConfig.v3.setting([field: value]).parsed()
                } catch {
                    refused += 1
                    let text = "\(error)"
                    #expect(text.contains("some/config.json"), "\(field)")
                    #expect(
                        text.contains(field) || Self.relatives[field].map(text.contains) == true, "\(field): \(text)")
                }
            }
            #expect(refused >= wrong.count - 2, "\(field) took too many of \(wrong)")
        }
    }

    /// The field that is named where a change of the first contradicts it.
    private static let relatives = ["topk_group": "num_experts_per_tok"]

    @Test(
        "values that are zero, negative or absurd are refused",
        arguments: [
            "vocab_size", "hidden_size", "intermediate_size", "moe_intermediate_size", "num_hidden_layers",
            "num_attention_heads", "q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim",
            "n_routed_experts", "n_shared_experts", "num_experts_per_tok", "n_group", "topk_group",
            "max_position_embeddings",
        ])
    func absurd(field: String) {
        for value in ["0", "-1", "9223372036854775807", "-9223372036854775808", "1e3", "8.0"] {
            let error = #expect(throws: CheckpointError.self, "\(field) \(value)") {
                try SampleConfig.v3.setting([field: value]).parsed()
            }
            #expect(error?.item == field)
            #expect(error?.kind == .invalid)
        }
    }

    @Test(
        "fields that contradict each other are refused",
        arguments: [
            ("n_group", "3", "n_group"), ("topk_group", "5", "topk_group"), ("num_experts_per_tok", "5", "num_experts"),
            ("n_group", "8", "n_group"), ("first_k_dense_replace", "3", "first_k"),
            ("qk_rope_head_dim", "5", "qk_rope"),
            ("num_key_value_heads", "1", "num_key_value_heads"), ("eos_token_id", "96", "eos_token_id"),
            ("eos_token_id", "[1, 200]", "eos_token_id"), ("num_mtp_layers", "2", "num_mtp_layers"),
            ("rope_parameters", "{\"rope_theta\": 5, \"rope_type\": \"default\"}", "rope_theta"),
        ])
    func inconsistent(field: String, value: String, named: String) {
        let error = #expect(throws: CheckpointError.self) { try SampleConfig.v3.setting([field: value]).parsed() }
        #expect(error?.item?.contains(named) == true, "\(String(describing: error))")
    }

    @Test(
        "what is not implemented is refused by name",
        arguments: [
            ("model_type", "\"llama\""), ("hidden_act", "\"gelu\""), ("attention_bias", "true"),
            ("moe_layer_freq", "2"), ("topk_method", "\"greedy\""), ("topk_method", "\"topk\""),
            ("scoring_func", "\"softmax\""), ("rope_interleave", "false"), ("mlp_bias", "true"),
            ("kv_lora_rank", "17"),
        ])
    func unsupported(field: String, value: String) {
        let error = #expect(throws: CheckpointError.self) { try SampleConfig.v3.setting([field: value]).parsed() }
        #expect(error?.kind == .unsupported)
        #expect(error?.item == field)
        #expect(error?.remedy.isEmpty == false)
    }

    @Test("DeepSeek-V2's routing is read, with and without groups")
    func v2() throws {
        let lite = try SampleConfig.v2.parsed()
        #expect(lite.modelType == .deepseekV2 && lite.routing.scoring == .softmax)
        #expect(lite.routing.selection == .greedy && !lite.routing.limitsGroups && !lite.routing.normalizes)
        #expect(lite.queryRank == nil && lite.mtpLayerCount == 0 && lite.sharedIntermediateSize == 40)
        let grouped = try SampleConfig.v2.setting([
            "topk_method": "\"group_limited_greedy\"", "n_group": "4", "topk_group": "2",
        ]).parsed()
        #expect(grouped.routing.selection == .groupLimitedGreedy)
        #expect([grouped.routing.groupCount, grouped.routing.keptGroupCount] == [4, 2])
        let error = #expect(throws: CheckpointError.self) {
            try SampleConfig.v2.setting(["topk_method": "\"group_limited_greedy\""]).parsed()
        }
        #expect(error?.item == "n_group")
    }

    @Test("how experts are scored and chosen may be left out where the model type leaves no choice")
    func impliedRouting() throws {
        let v3 = try SampleConfig.v3.setting(["scoring_func": nil, "topk_method": nil]).parsed()
        #expect(try v3.routing == SampleConfig.v3.parsed().routing)
        let v2 = try SampleConfig.v2.setting(["scoring_func": nil]).parsed()
        #expect(try v2.routing == SampleConfig.v2.parsed().routing)
        let error = #expect(throws: CheckpointError.self) {
            try SampleConfig.v2.setting(["topk_method": nil]).parsed()
        }
        #expect(error?.kind == .missing && error?.item == "topk_method")
    }

    @Test("Kimi-K2 counts as V3, with one group")
    func kimi() throws {
        let config = try SampleConfig.v3.setting([
            "model_type": "\"kimi_k2\"", "n_group": "1", "topk_group": "1", "n_routed_experts": "6",
        ]).parsed()
        #expect(config.modelType == .deepseekV3 && !config.routing.limitsGroups)
    }

    @Test("end tokens come from generation_config.json if that names them, one or several")
    func endTokens() throws {
        let folder = try TemporaryFolder()
        try folder.write(SampleConfig.v3.json, "config.json")
        #expect(try ModelConfig(folder: folder.path).eosTokenIDs == [1])
        try folder.write("{\"eos_token_id\": [7, 8], \"bos_token_id\": 3}", "generation_config.json")
        #expect(try ModelConfig(folder: folder.path).eosTokenIDs == [7, 8])
        #expect(try ModelConfig(folder: folder.path).bosTokenID == 3)
        try folder.write("{\"temperature\": 0.6}", "generation_config.json")
        #expect(try ModelConfig(folder: folder.path).eosTokenIDs == [1])
        try folder.write("{\"eos_token_id\": \"</s>\"}", "generation_config.json")
        let error = #expect(throws: CheckpointError.self) { try ModelConfig(folder: folder.path) }
        #expect(error?.file.hasSuffix("generation_config.json") == true)
    }

    @Test("a missing, broken or misplaced config.json is named")
    func files() throws {
        let folder = try TemporaryFolder()
        var error = #expect(throws: CheckpointError.self) { try ModelConfig(folder: folder.path) }
        #expect(error?.kind == .missing)
        for text in ["", "{", "[]", "7"] {
            try folder.write(text, "config.json")
            error = #expect(throws: CheckpointError.self) { try ModelConfig(folder: folder.path) }
            #expect(error?.description.contains(folder.file("config.json")) == true)
        }
        error = #expect(throws: CheckpointError.self) { try ModelConfig(path: folder.path) }
        #expect(error?.description.contains("folder") == true)
    }
}
