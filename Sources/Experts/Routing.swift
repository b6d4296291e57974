internal import Kernels

/// The router's decision for a batch: for each token its experts in slot order, and their weights. Reused from step
/// to step.
package final class Routing {
    package let expertsPerToken: Int
    package private(set) var tokens = 0
    private let expertBuffer: AlignedBuffer<Int32>
    private let weightBuffer: AlignedBuffer<Float>

    package init(maximumTokens: Int, expertsPerToken: Int) {
        self.expertsPerToken = expertsPerToken
        expertBuffer = AlignedBuffer(count: maximumTokens * expertsPerToken)
        weightBuffer = AlignedBuffer(count: maximumTokens * expertsPerToken)
    }

    /// [tokens, expertsPerToken] expert indices.
    package var experts: UnsafeMutablePointer<Int32> { expertBuffer.pointer }

    /// [tokens, expertsPerToken] factors of the experts' outputs.
    package var weights: UnsafeMutablePointer<Float> { weightBuffer.pointer }

    package var pairCount: Int { tokens * expertsPerToken }

    package func begin(tokens: Int) {
        precondition(tokens * expertsPerToken <= expertBuffer.count, "more tokens than the routing has room for")
        self.tokens = tokens
    }
}
