/// How the router scores and chooses experts.
package struct RoutingConfig: Equatable, Sendable {
    /// scoring_func; transformers 5 leaves it out, since the model type implies it.
    package enum Scoring: String, Sendable {
        case sigmoid
        case softmax
    }

    /// topk_method; transformers 5 leaves it out for V3, which has but one.
    package enum Selection: String, Sendable {
        /// Scores plus a learned bias choose; a group's score is the sum of its two best.
        case noAuxTC = "noaux_tc"
        /// The best scores of all.
        case greedy
        /// The best scores of the kept groups; a group's score is its best.
        case groupLimitedGreedy = "group_limited_greedy"
    }

    package let scoring: Scoring
    package let selection: Selection
    /// n_group; 1 where the selection knows no groups.
    package let groupCount: Int
    /// topk_group; 1 where the selection knows no groups.
    package let keptGroupCount: Int
    /// norm_topk_prob, for sigmoid scores alone: the V2 reference does not read it, and DeepSeek published no V2 model
    /// that sets it.
    package let normalizes: Bool
    /// routed_scaling_factor
    package let scalingFactor: Float

    /// Whether some groups are left out.
    package var limitsGroups: Bool { keptGroupCount < groupCount }

    init(
        _ fields: ConfigFields, modelType: ModelConfig.ModelType, expertCount: Int, expertsPerToken: Int
    ) throws(CheckpointError) {
        scoring = try Self.scoring(fields, modelType)
        selection = try Self.selection(fields, scoring)
        let normalizesInFile = try fields.flag("norm_topk_prob")
        normalizes = scoring == .sigmoid && normalizesInFile
        scalingFactor = Float(try fields.number("routed_scaling_factor", in: Self.scalingLimits))
        if selection == .greedy {
            groupCount = 1
            keptGroupCount = 1
        } else {
            groupCount = try fields.integer("n_group", in: 1...ModelConfig.Limit.experts)
            keptGroupCount = try fields.integer("topk_group", in: 1...ModelConfig.Limit.experts)
        }
        try check(fields, expertCount: expertCount, expertsPerToken: expertsPerToken)
    }

    private static let scalingLimits = 1e-6...1e6

    private static func scoring(
        _ fields: ConfigFields, _ modelType: ModelConfig.ModelType
    ) throws(CheckpointError) -> Scoring {
        let wanted: Scoring =
            switch modelType {
            case .deepseekV2: .softmax
            case .deepseekV3: .sigmoid
            }
        let name = try fields.optionalString("scoring_func") ?? wanted.rawValue
        guard name == wanted.rawValue else {
            throw fields.error(
                .unsupported, "scoring_func", "\"\(name)\" is not supported for \(modelType.rawValue)",
                remedy: "use a model with scoring_func \"\(wanted.rawValue)\"")
        }
        return wanted
    }

    private static func selection(_ fields: ConfigFields, _ scoring: Scoring) throws(CheckpointError) -> Selection {
        let possible: [Selection] =
            switch scoring {
            case .sigmoid: [.noAuxTC]
            case .softmax: [.greedy, .groupLimitedGreedy]
            }
        if possible.count == 1, fields.value("topk_method") == nil { return possible[0] }
        let name = try fields.string("topk_method")
        guard let selection = possible.first(where: { $0.rawValue == name }) else {
            let names = possible.map { "\"\($0.rawValue)\"" }.joined(separator: " or ")
            throw fields.error(
                .unsupported, "topk_method", "\"\(name)\" is not supported with \(scoring.rawValue) scores",
                remedy: "use a model with topk_method \(names)")
        }
        return selection
    }

    private func check(_ fields: ConfigFields, expertCount: Int, expertsPerToken: Int) throws(CheckpointError) {
        guard expertCount.isMultiple(of: groupCount) else {
            throw fields.error(
                .inconsistent, "n_group", "\(expertCount) experts cannot be cut into \(groupCount) equal groups")
        }
        guard keptGroupCount <= groupCount else {
            throw fields.error(
                .inconsistent, "topk_group", "keeps \(keptGroupCount) groups, but n_group is \(groupCount)")
        }
        let groupSize = expertCount / groupCount
        if selection == .noAuxTC && limitsGroups && groupSize < 2 {
            throw fields.error(
                .inconsistent, "n_group",
                "leaves \(groupSize) expert in each group, but a group's score needs two")
        }
        guard expertsPerToken <= keptGroupCount * groupSize else {
            throw fields.error(
                .inconsistent, "num_experts_per_tok",
                "is \(expertsPerToken), but only \(keptGroupCount * groupSize) experts are left to choose from")
        }
    }
}
