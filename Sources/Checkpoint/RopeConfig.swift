internal import Foundation

/// The rotary position embedding of a model.
package struct RopeConfig: Equatable, Sendable {
    /// rope_theta
    package let theta: Double
    /// nil: plain frequencies.
    package let yarn: YarnConfig?

    /// Reads rope_theta and rope_scaling as they are published, or rope_parameters as transformers 5 writes them.
    init(_ fields: ConfigFields) throws(CheckpointError) {
        let scaling = try fields.object("rope_scaling")
        let parameters = try fields.object("rope_parameters")
        theta = try Self.theta(fields, [scaling, parameters].compactMap { $0 })
        if let scaling, !scaling.isEmpty {
            yarn = try YarnConfig(scaling)
        } else if let parameters {
            yarn = try YarnConfig(parameters)
        } else {
            yarn = nil
        }
    }

    private static let thetaLimits = 1.000001...1e12

    private static func theta(_ fields: ConfigFields, _ nested: [ConfigFields]) throws(CheckpointError) -> Double {
        var found: Double?
        for source in [fields] + nested {
            guard let theta = try source.optionalNumber("rope_theta", in: thetaLimits) else { continue }
            guard found == nil || found == theta else {
                throw source.error(.inconsistent, "rope_theta", "is \(theta) here and \(found ?? theta) elsewhere")
            }
            found = theta
        }
        if let found { return found }
        return try fields.number("rope_theta", in: thetaLimits)
    }
}

/// YaRN: the frequencies of a model that was stretched to longer contexts.
package struct YarnConfig: Equatable, Sendable {
    package let factor: Double
    /// original_max_position_embeddings
    package let originalMaximumPositions: Int
    /// beta_fast; 32 if absent, as in the YaRN paper.
    package let betaFast: Double
    /// beta_slow; 1 if absent, as in the YaRN paper.
    package let betaSlow: Double
    /// mscale; 0 if absent.
    package let mscale: Double
    /// mscale_all_dim; 0 if absent.
    package let mscaleAllDimensions: Double

    /// nil for rope type "default", which scales nothing.
    init?(_ fields: ConfigFields) throws(CheckpointError) {
        guard try Self.isYarn(fields) else { return nil }
        factor = try fields.number("factor", in: 1...1e6)
        originalMaximumPositions = try fields.integer(
            "original_max_position_embeddings", in: 1...ModelConfig.Limit.positions)
        betaFast = try fields.optionalNumber("beta_fast", in: Self.betaLimits) ?? 32
        betaSlow = try fields.optionalNumber("beta_slow", in: Self.betaLimits) ?? 1
        mscale = try fields.optionalNumber("mscale", in: Self.mscaleLimits) ?? 0
        mscaleAllDimensions = try fields.optionalNumber("mscale_all_dim", in: Self.mscaleLimits) ?? 0
        guard betaSlow <= betaFast else {
            throw fields.error(.inconsistent, "beta_slow", "is \(betaSlow), more than beta_fast, \(betaFast)")
        }
    }

    /// What cos and sin are multiplied by.
    package var rotationFactor: Double {
        if mscale > 0 && mscaleAllDimensions > 0 {
            return magnitude(mscale) / magnitude(mscaleAllDimensions)
        }
        return magnitude(1)
    }

    /// What the softmax scale is multiplied by.
    package var softmaxFactor: Double {
        mscaleAllDimensions > 0 ? magnitude(mscaleAllDimensions) * magnitude(mscaleAllDimensions) : 1
    }

    private func magnitude(_ mscale: Double) -> Double {
        factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1
    }

    private static let betaLimits = 1e-3...1e6
    private static let mscaleLimits = 0.0...100.0

    /// The key is `type` in published configs and `rope_type` in newer ones.
    private static func isYarn(_ fields: ConfigFields) throws(CheckpointError) -> Bool {
        let key = fields.value("rope_type") == nil && fields.value("type") != nil ? "type" : "rope_type"
        switch try fields.string(key) {
        case "default": return false
        case "yarn": break
        case let other:
            throw fields.error(
                .unsupported, key, "\"\(other)\" is not supported",
                remedy: "use a model with rope type \"yarn\" or none")
        }
        if fields.value("attention_factor") != nil {
            throw fields.error(
                .unsupported, "attention_factor", "is not supported", remedy: "use a model with mscale instead")
        }
        if try fields.optionalFlag("truncate") == false {
            throw fields.error(.unsupported, "truncate", "false is not supported", remedy: "use a model without it")
        }
        return true
    }
}
