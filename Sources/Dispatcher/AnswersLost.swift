/// Whoever was asked for the same answers was lost before it gave them, again and again.
package struct AnswersLost: Error, CustomStringConvertible {
    package let layer: Int
    /// One after the other.
    package let losses: [WorkerLoss]

    package var description: String {
        "layer \(layer)'s experts were asked \(losses.count) times for the same answers, and each time the worker was "
            + "lost before it gave them: \(losses.map(\.description).joined(separator: ", then ")); what the workers "
            + "log says what ends them"
    }
}
