/// What one deployment did with a `DecodeRun`.
package struct DecodeOutcome {
    /// Some decoding steps one after another.
    package struct Turn {
        package let stepSeconds: [Double]
        package let stepBytes: [Double]
        /// Bytes per second, measured before and after.
        package let readBandwidth: Double

        package init(steps: [DecodeTrial.Step], readBandwidth: Double) {
            self.init(
                stepSeconds: steps.map(\.seconds), stepBytes: steps.map { Double($0.bytes ?? 0) },
                readBandwidth: readBandwidth)
        }

        package init(stepSeconds: [Double], stepBytes: [Double], readBandwidth: Double) {
            self.stepSeconds = stepSeconds
            self.stepBytes = stepBytes
            self.readBandwidth = readBandwidth
        }

        var seconds: Double { stepSeconds.reduce(0, +) }

        /// The time that reading the bytes takes, of the time that the steps took.
        var limitShare: Double { stepBytes.reduce(0, +) / readBandwidth / seconds }
    }

    /// [runs] seconds until every sequence had its first token.
    package var prefillSeconds: [Double] = []
    /// The runs' turns, one after another.
    package var turns: [Turn] = []

    package init() {}

    var steps: Samples { Samples(turns.flatMap(\.stepSeconds)) }

    /// How many times as fast this was as another, run by run.
    func prefillRatio(to other: DecodeOutcome) -> Double {
        Samples(zip(other.prefillSeconds, prefillSeconds).map { $0 / $1 }).median
    }

    /// How many times as fast this was as another, turn by turn.
    func decodeRatio(to other: DecodeOutcome) -> Double {
        Samples(zip(other.turns, turns).map { $0.seconds / $1.seconds }).median
    }
}
