/// What config.json and generation_config.json say of a model of the DeepSeek-V2 and V3 families, checked once.
/// Only fields that published configs leave out have a default; each of those is named at its place.
package struct ModelConfig: Equatable, Sendable {
    package enum ModelType: String, Sendable {
        case deepseekV2 = "deepseek_v2"
        case deepseekV3 = "deepseek_v3"
    }

    package let modelType: ModelType
    /// vocab_size
    package let vocabularySize: Int
    /// hidden_size
    package let hiddenSize: Int
    /// intermediate_size: inner width of the dense layers' feed-forward.
    package let intermediateSize: Int
    /// moe_intermediate_size: inner width of one expert.
    package let expertIntermediateSize: Int
    /// num_hidden_layers, without MTP layers.
    package let layerCount: Int
    /// first_k_dense_replace: layers below this one are dense, all others have experts.
    package let denseLayerCount: Int
    /// num_attention_heads
    package let headCount: Int
    /// q_lora_rank; nil means one full query projection.
    package let queryRank: Int?
    /// kv_lora_rank: width of the cached latent, even.
    package let latentRank: Int
    /// qk_nope_head_dim
    package let nopeDimension: Int
    /// qk_rope_head_dim, even.
    package let ropeDimension: Int
    /// v_head_dim
    package let valueDimension: Int
    /// n_routed_experts
    package let expertCount: Int
    /// n_shared_experts: they form one feed-forward of this many experts' width.
    package let sharedExpertCount: Int
    /// num_experts_per_tok
    package let expertsPerToken: Int
    package let routing: RoutingConfig
    /// rms_norm_eps
    package let normEpsilon: Float
    package let rope: RopeConfig
    /// max_position_embeddings
    package let maximumPositions: Int
    /// num_nextn_predict_layers; absent means none.
    package let mtpLayerCount: Int
    /// quantization_config.weight_block_size; nil if the weights are not FP8.
    package let quantization: BlockShape?
    /// tie_word_embeddings; absent means false.
    package let tiedEmbeddings: Bool
    /// eos_token_id of generation_config.json if that names it, else of config.json; an empty list is possible.
    package let eosTokenIDs: [Int]
    package let bosTokenID: Int?

    /// Reads config.json, and generation_config.json where there is one.
    package init(folder: String) throws(CheckpointError) {
        try self.init(path: folder + "/config.json")
    }

    /// Reads a config file, and the generation_config.json beside it where there is one.
    package init(path: String) throws(CheckpointError) {
        let bytes = try InputFile.bytes(of: path, maximumByteSize: Self.maximumFileByteSize)
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        let generation =
            folder.isEmpty && !path.hasPrefix("/")
            ? "generation_config.json" : folder + "/generation_config.json"
        let generationBytes =
            InputFile.exists(generation)
            ? try InputFile.bytes(of: generation, maximumByteSize: Self.maximumFileByteSize) : nil
        try self.init(json: bytes, file: path, generation: generationBytes, generationFile: generation)
    }

    /// - Parameters:
    ///   - json: the text of config.json.
    ///   - file: what errors call it.
    ///   - generation: the text of generation_config.json.
    package init(
        json: [UInt8], file: String, generation: [UInt8]? = nil, generationFile: String = "generation_config.json"
    ) throws(CheckpointError) {
        let fields = try ConfigFields(JSONReader.value(of: json, file: file), file: file)
        var generationFields: ConfigFields?
        if let generation {
            generationFields = try ConfigFields(
                JSONReader.value(of: generation, file: generationFile), file: generationFile)
        }
        try self.init(fields: fields, generation: generationFields)
    }

    private init(fields: ConfigFields, generation: ConfigFields?) throws(CheckpointError) {
        modelType = try Self.modelType(fields)
        try Self.refuseUnsupported(fields)
        vocabularySize = try fields.integer("vocab_size", in: 1...Limit.vocabulary)
        hiddenSize = try fields.integer("hidden_size", in: 1...Limit.hidden)
        intermediateSize = try fields.integer("intermediate_size", in: 1...Limit.intermediate)
        expertIntermediateSize = try fields.integer("moe_intermediate_size", in: 1...Limit.intermediate)
        layerCount = try fields.integer("num_hidden_layers", in: 1...Limit.layers)
        denseLayerCount = try fields.integer("first_k_dense_replace", in: 0...Limit.layers)
        headCount = try fields.integer("num_attention_heads", in: 1...Limit.heads)
        queryRank = try fields.optionalInteger("q_lora_rank", in: 1...Limit.rank)
        latentRank = try fields.integer("kv_lora_rank", in: 1...Limit.rank)
        nopeDimension = try fields.integer("qk_nope_head_dim", in: 1...Limit.headDimension)
        ropeDimension = try fields.integer("qk_rope_head_dim", in: 2...Limit.headDimension)
        valueDimension = try fields.integer("v_head_dim", in: 1...Limit.headDimension)
        expertCount = try fields.integer("n_routed_experts", in: 1...Limit.experts)
        sharedExpertCount = try fields.integer("n_shared_experts", in: 1...Limit.sharedExperts)
        expertsPerToken = try fields.integer("num_experts_per_tok", in: 1...Limit.expertsPerToken)
        routing = try RoutingConfig(
            fields, modelType: modelType, expertCount: expertCount, expertsPerToken: expertsPerToken)
        normEpsilon = Float(try fields.number("rms_norm_eps", in: Limit.normEpsilon))
        rope = try RopeConfig(fields)
        maximumPositions = try fields.integer("max_position_embeddings", in: 1...Limit.positions)
        mtpLayerCount = try Self.mtpLayerCount(fields)
        quantization = try BlockShape(fields)
        tiedEmbeddings = try fields.optionalFlag("tie_word_embeddings") ?? false
        eosTokenIDs = try Self.eosTokenIDs(fields, generation, vocabularySize: vocabularySize)
        bosTokenID = try Self.bosTokenID(fields, generation, vocabularySize: vocabularySize)
        try checkConsistency(fields)
    }
}

extension ModelConfig {
    /// Largest config.json; published ones have 2 kB.
    static let maximumFileByteSize = 1 << 20

    /// Largest values that are believed, an order of magnitude above what is published, so that products of sizes
    /// stay far inside 63 bits.
    package enum Limit {
        package static let vocabulary = 1 << 24
        package static let hidden = 1 << 17
        package static let intermediate = 1 << 20
        package static let layers = 1024
        package static let heads = 4096
        package static let rank = 1 << 16
        package static let headDimension = 4096
        package static let experts = 1 << 16
        package static let sharedExperts = 64
        package static let expertsPerToken = 256
        package static let positions = 1 << 27
        package static let mtpLayers = 16
        /// Routed experts over all layers: every one of them has up to six named tensors.
        package static let expertSlots = 1 << 19
        package static let blockSide = 1 << 16
        package static let normEpsilon = 1e-12...1e-1
    }

    /// Inner width of the shared experts' feed-forward.
    package var sharedIntermediateSize: Int { sharedExpertCount * expertIntermediateSize }

    /// Width of one head's queries and keys.
    package var queryDimension: Int { nopeDimension + ropeDimension }

    /// The layers with routed experts, without MTP layers.
    package var expertLayers: Range<Int> { denseLayerCount..<layerCount }

    private static func modelType(_ fields: ConfigFields) throws(CheckpointError) -> ModelType {
        switch try fields.string("model_type") {
        case "deepseek_v2": return .deepseekV2
        // Kimi-K2 is the V3 architecture under a name of its own.
        case "deepseek_v3", "kimi_k2": return .deepseekV3
        case let other:
            throw fields.error(
                .unsupported, "model_type", "\"\(other)\" is not supported",
                remedy: "use a model of type deepseek_v3, kimi_k2 or deepseek_v2")
        }
    }

    /// Fields that change the arithmetic in ways that are not implemented; absent means the usual form.
    private static func refuseUnsupported(_ fields: ConfigFields) throws(CheckpointError) {
        let activation = try fields.string("hidden_act")
        guard activation == "silu" else {
            throw fields.error(
                .unsupported, "hidden_act", "\"\(activation)\" is not supported",
                remedy: "use a model with hidden_act \"silu\"")
        }
        for (name, wanted) in [("attention_bias", false), ("mlp_bias", false), ("rope_interleave", true)] {
            if let flag = try fields.optionalFlag(name), flag != wanted {
                throw fields.error(
                    .unsupported, name, "\(flag) is not supported", remedy: "use a model with \(name) \(wanted)")
            }
        }
        if let frequency = try fields.optionalInteger("moe_layer_freq", in: 1...Limit.layers), frequency != 1 {
            throw fields.error(
                .unsupported, "moe_layer_freq", "\(frequency) is not supported",
                remedy: "use a model with moe_layer_freq 1")
        }
    }

    /// transformers 5 writes the same number as num_mtp_layers.
    private static func mtpLayerCount(_ fields: ConfigFields) throws(CheckpointError) -> Int {
        let published = try fields.optionalInteger("num_nextn_predict_layers", in: 0...Limit.mtpLayers)
        let renamed = try fields.optionalInteger("num_mtp_layers", in: 0...Limit.mtpLayers)
        if let published, let renamed, published != renamed {
            throw fields.error(
                .inconsistent, "num_mtp_layers", "is \(renamed), but num_nextn_predict_layers is \(published)")
        }
        return published ?? renamed ?? 0
    }

    private static func eosTokenIDs(
        _ fields: ConfigFields, _ generation: ConfigFields?, vocabularySize: Int
    ) throws(CheckpointError) -> [Int] {
        let limits = 0...vocabularySize - 1
        if let generation, generation.value("eos_token_id") != nil {
            return try generation.integers("eos_token_id", in: limits)
        }
        return try fields.integers("eos_token_id", in: limits)
    }

    private static func bosTokenID(
        _ fields: ConfigFields, _ generation: ConfigFields?, vocabularySize: Int
    ) throws(CheckpointError) -> Int? {
        let limits = 0...vocabularySize - 1
        if let id = try generation?.optionalInteger("bos_token_id", in: limits) { return id }
        return try fields.optionalInteger("bos_token_id", in: limits)
    }

    private func checkConsistency(_ fields: ConfigFields) throws(CheckpointError) {
        if let heads = try fields.optionalInteger("num_key_value_heads", in: 1...Limit.heads), heads != headCount {
            throw fields.error(
                .inconsistent, "num_key_value_heads",
                "is \(heads), but latent attention has as many as num_attention_heads, \(headCount)")
        }
        guard denseLayerCount < layerCount else {
            throw fields.error(
                .inconsistent, "first_k_dense_replace",
                "is \(denseLayerCount) of \(layerCount) layers, which leaves no layer with experts")
        }
        guard ropeDimension.isMultiple(of: 2) else {
            throw fields.error(.invalid, "qk_rope_head_dim", "is \(ropeDimension), but rotation needs pairs")
        }
        guard latentRank.isMultiple(of: 2) else {
            throw fields.error(
                .unsupported, "kv_lora_rank", "is \(latentRank), but the latent cache is read in pairs",
                remedy: "use a model with an even kv_lora_rank")
        }
        guard expertLayers.count + mtpLayerCount <= Limit.expertSlots / expertCount else {
            throw fields.error(
                .invalid, "n_routed_experts",
                "\(expertCount) experts in \(expertLayers.count) layers are more than \(Limit.expertSlots) in all")
        }
    }
}
