/// Times repeated work, within bounds.
package struct Stopwatch: Sendable {
    /// Repetitions beyond which no more is learnt.
    package var mostRepetitions: Int
    package var leastRepetitions: Int
    /// Where time allows no more than the least repetitions.
    package var seconds: Double

    package init(seconds: Double, leastRepetitions: Int = 3, mostRepetitions: Int = 200) {
        self.seconds = seconds
        self.leastRepetitions = leastRepetitions
        self.mostRepetitions = mostRepetitions
    }

    /// Seconds of each repetition of `body`, which gets its number. One more comes before them and is not counted: it
    /// meets cold memory and sleeping threads.
    package func measure(_ body: (Int) throws -> Void) rethrows -> Samples {
        try body(0)
        var samples: [Double] = []
        var total = 0.0
        while samples.count < leastRepetitions || (total < seconds && samples.count < mostRepetitions) {
            let repetition = samples.count + 1
            samples.append(try Self.seconds { try body(repetition) })
            total += samples[samples.count - 1]
        }
        return Samples(samples)
    }

    package static func seconds(of body: () throws -> Void) rethrows -> Double {
        let elapsed = try ContinuousClock().measure { try body() }
        let (seconds, attoseconds) = elapsed.components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
