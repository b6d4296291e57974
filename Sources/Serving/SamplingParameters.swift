/// How the next token is chosen. A temperature of 0 takes the likeliest token, whatever the rest says.
package struct SamplingParameters: Sendable, Equatable {
    package var temperature: Float
    /// Only the k likeliest tokens; 0 keeps all.
    package var topK: Int
    /// Only the likeliest tokens that together reach this probability; 1 keeps all.
    package var topP: Float
    /// Only tokens at least this fraction as likely as the likeliest; 0 keeps all.
    package var minP: Float
    package var seed: UInt64

    package init(temperature: Float, topK: Int = 0, topP: Float = 1, minP: Float = 0, seed: UInt64 = 0) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.seed = seed
    }

    package static let greedy = SamplingParameters(temperature: 0)

    package func validate() throws(RequestError) {
        guard temperature >= 0, temperature.isFinite else {
            throw .sampling(name: "the temperature", value: "\(temperature)", allowed: "0 (greedy) or more")
        }
        guard topK >= 0 else { throw .sampling(name: "top-k", value: "\(topK)", allowed: "0 (all) or more") }
        guard topP > 0, topP <= 1 else {
            throw .sampling(name: "top-p", value: "\(topP)", allowed: "more than 0, at most 1")
        }
        guard minP >= 0, minP <= 1 else {
            throw .sampling(name: "min-p", value: "\(minP)", allowed: "a number from 0 to 1")
        }
    }
}
