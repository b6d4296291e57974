package import Checkpoint
internal import Cluster
internal import Foundation

/// What holding weights in fewer bits costs: perplexities beside that of the weights as stored, of the same tokens.
package struct QualityReport: Sendable, Encodable {
    /// One way to hold the weights.
    package struct Line: Sendable, Encodable {
        /// "stored", or as on the command line.
        package let experts: String
        package let dense: String
        /// Of all weights, without the MTP layers.
        package let weightBytes: Int
        package let perplexity: Double
        /// Over the perplexity of the weights as stored.
        package let ratio: Double
        /// The share of tokens before which the likeliest one is the same as with the weights as stored.
        package let agreement: Double

        package init(_ held: HeldDTypes, config: ModelConfig, quality: Quality, stored: Quality) {
            experts = held.expert?.rawValue ?? "stored"
            dense = held.dense?.rawValue ?? "stored"
            weightBytes = ModelLayout(config, includesMTP: false, held: held).byteCount
            perplexity = quality.perplexity
            ratio = quality.perplexity / stored.perplexity
            agreement = quality.agreement(with: stored)
        }
    }

    package let model: String
    /// Where the tokens are from.
    package let source: String
    package let tokens: Int
    /// The weights as stored first.
    package let lines: [Line]

    package init(model: String, source: String, tokens: Int, lines: [Line]) {
        self.model = model
        self.source = source
        self.tokens = tokens
        self.lines = lines
    }

    package var text: String {
        var table = TextTable(header: [
            "experts", "dense", "weights", "perplexity", "ratio", "same likeliest token",
        ])
        for line in lines {
            table.add([
                line.experts, line.dense, Amount.bytes(line.weightBytes), String(format: "%.4f", line.perplexity),
                String(format: "%.5f", line.ratio), String(format: "%.1f %%", line.agreement * 100),
            ])
        }
        return (["\(model), \(Amount.grouped(tokens)) tokens \(source)"] + table.lines()).joined(separator: "\n")
    }
}
