package import Checkpoint
internal import Cluster
package import Experts
internal import Foundation

/// What fewer bits cost, of weights or on the wire: perplexities beside that of a reference, of the same tokens.
package struct QualityReport: Sendable, Encodable {
    /// One way to hold the weights and to send hidden vectors.
    package struct Line: Sendable, Encodable {
        /// "stored", or as on the command line.
        package let experts: String
        package let dense: String
        /// How hidden vectors travel to the experts.
        package let wire: String
        /// Of all weights, without the MTP layers.
        package let weightBytes: Int
        package let perplexity: Double
        /// Over the perplexity of the reference.
        package let ratio: Double
        /// The share of tokens before which the likeliest one is the same as the reference's.
        package let agreement: Double

        package init(
            _ held: HeldDTypes, wire: ExchangeDType, config: ModelConfig, quality: Quality, reference: Quality
        ) {
            experts = held.expert?.rawValue ?? "stored"
            dense = held.dense?.rawValue ?? "stored"
            self.wire = wire.rawValue
            weightBytes = ModelLayout(config, includesMTP: false, held: held).byteCount
            perplexity = quality.perplexity
            ratio = quality.perplexity / reference.perplexity
            agreement = quality.agreement(with: reference)
        }
    }

    package let model: String
    /// Where the tokens are from.
    package let source: String
    package let tokens: Int
    /// The reference first.
    package let lines: [Line]

    package init(model: String, source: String, tokens: Int, lines: [Line]) {
        self.model = model
        self.source = source
        self.tokens = tokens
        self.lines = lines
    }

    package var text: String {
        var table = TextTable(header: [
            "experts", "dense", "wire", "weights", "perplexity", "ratio", "same likeliest token",
        ])
        for line in lines {
            table.add([
                line.experts, line.dense, line.wire, Amount.bytes(line.weightBytes),
                String(format: "%.4f", line.perplexity), String(format: "%.5f", line.ratio),
                String(format: "%.1f %%", line.agreement * 100),
            ])
        }
        return (["\(model), \(Amount.grouped(tokens)) tokens \(source)"] + table.lines()).joined(separator: "\n")
    }
}
