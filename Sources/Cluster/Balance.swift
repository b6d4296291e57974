/// How level a placement is for some loads, each expert's tokens split over its replicas as level as they allow.
package struct Balance: Hashable, Sendable {
    /// Sum over the layers of the slowest worker's time, in tokens per unit of speed.
    package let peak: Double
    /// The same if every worker took equally long.
    package let even: Double

    /// 1 is perfect.
    package var maximumOverMean: Double { even > 0 ? peak / even : 1 }

    package init(peak: Double, even: Double) {
        self.peak = peak
        self.even = even
    }

    /// Of what `input.holdings` holds; slots that nobody holds count for nothing.
    package init(_ input: PolicyInput) {
        self.init(PlacementDraft(input, maximumRedundant: nil).layers)
    }

    init(_ layers: [LayerBalance]) {
        peak = layers.reduce(0) { $0 + $1.peak }
        even = layers.reduce(0) { $0 + $1.even }
    }
}
